// Walks over /proc.
#include "supervise/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "supervise/system.h"

namespace gw::supervise {
namespace {

std::string proc_path(pid_t process, const char* rest) {
  std::string path = "/proc/";
  append_number(path, static_cast<std::uint64_t>(process));
  path += rest;
  return path;
}

/// Calls `use` with each number that stands as a name in `folder`; false if there is no such folder.
template <class Use>
bool for_each_number_in(const std::string& folder, Use use) {
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) return false;
  while (const dirent* entry = ::readdir(open)) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (*end == '\0' && number > 0) use(static_cast<pid_t>(number));
  }
  ::closedir(open);
  return true;
}

bool kernel_lists_children() {
  static const bool lists = ::access("/proc/thread-self/children", F_OK) == 0;
  return lists;
}

/// Parent of a process by its stat line: the second field after the last ')' of its name.
std::optional<pid_t> parent_of(pid_t process) {
  const std::optional<std::string> stat = read_file_at(AT_FDCWD, proc_path(process, "/stat").c_str());
  if (!stat) return std::nullopt;
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos || name_end + 4 >= stat->size()) return std::nullopt;
  return static_cast<pid_t>(std::strtol(stat->c_str() + name_end + 4, nullptr, 10));
}

/// Where the kernel does not list children (CONFIG_PROC_CHILDREN): every process with its parent.
class ParentTable {
 public:
  ParentTable() {
    for_each_number_in("/proc", [&](pid_t process) {
      if (const std::optional<pid_t> parent = parent_of(process)) rows_.emplace_back(*parent, process);
    });
    std::sort(rows_.begin(), rows_.end());
  }
  void append_children(pid_t process, std::vector<pid_t>& children) const {
    auto row = std::lower_bound(rows_.begin(), rows_.end(), std::pair<pid_t, pid_t>(process, 0));
    for (; row != rows_.end() && row->first == process; ++row) children.push_back(row->second);
  }

 private:
  std::vector<std::pair<pid_t, pid_t>> rows_;
};

void append_listed_children(pid_t process, std::vector<pid_t>& children) {
  const std::string threads = proc_path(process, "/task");
  for_each_number_in(threads, [&](pid_t thread) {
    std::string path = threads;
    path += '/';
    append_number(path, static_cast<std::uint64_t>(thread));
    path += "/children";
    const std::optional<std::string> list = read_file_at(AT_FDCWD, path.c_str());
    if (!list) return;
    const char* at = list->c_str();
    while (*at != '\0') {
      char* end = nullptr;
      const long child = std::strtol(at, &end, 10);
      if (end == at) break;
      if (child > 0) children.push_back(static_cast<pid_t>(child));
      at = end;
      while (*at == ' ') ++at;
    }
  });
}

/// Calls `visit` with every process below `root` before its own children are looked up.
template <class Visit>
void walk(pid_t root, Visit visit) {
  std::optional<ParentTable> table;
  if (!kernel_lists_children()) table.emplace();
  std::vector<pid_t> children;
  std::vector<pid_t> left = {root};
  while (!left.empty()) {
    const pid_t process = left.back();
    left.pop_back();
    if (process != root) visit(process);
    children.clear();
    if (table) {
      table->append_children(process, children);
    } else {
      append_listed_children(process, children);
    }
    left.insert(left.end(), children.begin(), children.end());
  }
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t root) {
  std::vector<pid_t> processes;
  walk(root, [&](pid_t process) { processes.push_back(process); });
  return processes;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  if (kernel_lists_children()) {
    append_listed_children(parent, children);
  } else {
    ParentTable().append_children(parent, children);
  }
  return children;
}

void kill_descendants(pid_t root) {
  constexpr int kMostRounds = 50;
  std::vector<pid_t> stopped;
  for (int round = 0; round < kMostRounds; ++round) {
    bool found = false;
    walk(root, [&](pid_t process) {
      const auto place = std::lower_bound(stopped.begin(), stopped.end(), process);
      if (place != stopped.end() && *place == process) return;
      stopped.insert(place, process);
      found = ::kill(process, SIGSTOP) == 0 || found;
    });
    if (!found) break;
  }
  for (const pid_t process : stopped) ::kill(process, SIGKILL);
}

std::uint64_t memory_of(const std::vector<pid_t>& processes) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint64_t bytes = 0;
  for (const pid_t process : processes) {
    const std::optional<std::string> line = read_file_at(AT_FDCWD, proc_path(process, "/statm").c_str());
    if (!line) continue;
    char* at = nullptr;
    std::strtoull(line->c_str(), &at, 10);
    const std::uint64_t resident = std::strtoull(at, &at, 10);
    const std::uint64_t shared = std::strtoull(at, &at, 10);  // Of files and of shared memory.
    if (resident > shared) bytes += (resident - shared) * page;
  }
  return bytes;
}

}  // namespace gw::supervise
