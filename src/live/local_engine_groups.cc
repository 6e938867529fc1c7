// Detection and delegation of cgroup2 (Documentation/admin-guide/cgroup-v2.rst of Linux).
#include "live/local_engine_groups.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "supervise/system.h"

namespace gw::live {

namespace fs = std::filesystem;

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

std::string text_of(const fs::path& file) {
  return supervise::read_file_at(AT_FDCWD, file.c_str()).value_or("");
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// Spaces and the like stand as octal numbers in mountinfo.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto digit = [&](std::size_t offset) { return static_cast<unsigned>(text[at + offset] - '0'); };
    if (text[at] == '\\' && at + 3 < text.size() && digit(1) < 4 && digit(2) < 8 && digit(3) < 8) {
      result += static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3));
      at += 3;
    } else {
      result += text[at];
    }
  }
  return result;
}

struct Mount {
  std::string root;  ///< The group that stands at `point`.
  std::string point;
};

/// The last cgroup2 in mountinfo: one that is mounted over another hides it.
Mount control_group_mount(const fs::path& process) {
  Mount mount;
  std::istringstream lines(text_of(process / "mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t separator = line.find(" - ");
    if (separator == std::string::npos || !line.substr(separator).starts_with(" - cgroup2 ")) continue;
    constexpr std::size_t kRoot = 3;
    constexpr std::size_t kPoint = 4;
    const std::vector<std::string> words = words_of(line.substr(0, separator));
    if (words.size() > kPoint) mount = {unescaped(words[kRoot]), unescaped(words[kPoint])};
  }
  return mount;
}

/// The process's line of the second version: `0::/path`.
std::string own_path(const fs::path& process) {
  std::istringstream lines(text_of(process / "cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return {};
}

void add_reason(ControlGroups& groups, const std::string& text) {
  if (!groups.missing.empty()) groups.missing += "; ";
  groups.missing += text;
}

bool can_make_group(const fs::path& folder) {
  const fs::path probe = folder / fmt::format("gw-probe-{}", ::getpid());
  if (::mkdir(probe.c_str(), 0755) != 0) return false;
  ::rmdir(probe.c_str());
  return true;
}

/// A group that passes controllers on may hold no process itself, unless it is the root of all.
void move_out_of(const fs::path& folder, ControlGroups& groups) {
  if (::access((folder / "cgroup.type").c_str(), F_OK) != 0) return;
  const std::vector<std::string> processes = words_of(text_of(folder / "cgroup.procs"));
  if (processes.empty()) return;
  const fs::path server = folder / "server";
  if (::mkdir(server.c_str(), 0755) != 0 && errno != EEXIST) return;
  const std::string self = fmt::format("{}", ::getpid());
  for (const std::string& process : processes) {
    if (process != self) {
      add_reason(groups, fmt::format("other processes stand in {}", folder.string()));
      return;
    }
  }
  if (!supervise::write_existing((server / "cgroup.procs").string(), self))
    add_reason(groups, fmt::format("cannot move to {}: {}", server.string(), reason(errno)));
}

}  // namespace

fs::path own_control_group(const fs::path& process) {
  const Mount mount = control_group_mount(process);
  std::string path = own_path(process);
  if (mount.point.empty() || path.empty()) return {};
  if (mount.root != "/" && path.starts_with(mount.root)) path.erase(0, mount.root.size());
  while (path.starts_with('/')) path.erase(0, 1);
  fs::path folder = path.empty() ? fs::path(mount.point) : fs::path(mount.point) / path;
  // After a restart we stand in the group that we moved to: its parent is the one that was given to us.
  if (folder.filename() == "server" && ::access((folder.parent_path() / "cgroup.procs").c_str(), W_OK) == 0)
    folder = folder.parent_path();
  return folder;
}

ControlGroups prepare_control_groups(const fs::path& root, const fs::path& process) {
  ControlGroups groups;
  const fs::path folder = root.empty() ? own_control_group(process) : root;
  if (folder.empty()) {
    groups.missing = "no cgroup2 file system is mounted";
    return groups;
  }
  if (!can_make_group(folder)) {
    groups.missing = fmt::format("no writable cgroup v2: {}: {}", folder.string(), reason(errno));
    return groups;
  }
  groups.folder = folder;
  const std::vector<std::string> available = words_of(text_of(folder / "cgroup.controllers"));
  struct Wanted {
    const char* name;
    bool& works;
  };
  const Wanted wanted[] = {{"cpu", groups.cpu}, {"memory", groups.memory}, {"pids", groups.processes}};
  bool moved = false;
  std::string absent;
  for (const Wanted& controller : wanted) {
    bool there = false;
    for (const std::string& name : available) there = there || name == controller.name;
    if (!there) {
      absent += (absent.empty() ? "" : ", ") + std::string(controller.name);
      continue;
    }
    if (!moved) move_out_of(folder, groups);
    moved = true;
    controller.works = supervise::write_existing((folder / "cgroup.subtree_control").string(),
                                                 fmt::format("+{}", controller.name));
    if (!controller.works)
      add_reason(groups, fmt::format("cannot pass the {} controller on in {}: {}", controller.name,
                                     folder.string(), reason(errno)));
  }
  if (!absent.empty())
    add_reason(groups, fmt::format("the cgroup v2 at {} has no controller of {}", folder.string(), absent));
  return groups;
}

}  // namespace gw::live
