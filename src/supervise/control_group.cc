// Files of a cgroup2 folder (Documentation/admin-guide/cgroup-v2.rst of Linux).
#include "supervise/control_group.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

namespace gw::supervise {
namespace {

std::string number_text(std::uint64_t number) {
  std::string text;
  append_number(text, number);
  return text;
}

void add_note(std::string& notes, const char* what, int error) {
  if (!notes.empty()) notes += "; ";
  notes += what;
  notes += " is not limited: the control group refused it (";
  notes += reason(error);
  notes += ')';
}

}  // namespace

bool ControlGroup::set(const char* file, const std::string& value) const {
  return write_existing(path_ + "/" + file, value);
}

std::optional<ControlGroup> ControlGroup::make(const LaunchRecord& record, std::string& notes) {
  if (::mkdir(record.control_group.c_str(), 0755) != 0 && errno != EEXIST) {
    if (!notes.empty()) notes += "; ";
    notes += "no control group could be made (";
    notes += reason(errno);
    notes += ')';
    return std::nullopt;
  }
  ControlGroup group(record.control_group,
                     Descriptor(::open(record.control_group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!record.cpu_max.empty() && !group.set("cpu.max", record.cpu_max)) add_note(notes, "CPU time", errno);
  if (record.memory_by_group && record.memory_bytes > 0) {
    group.limits_memory_ = group.set("memory.max", number_text(record.memory_bytes));
    if (!group.limits_memory_) add_note(notes, "memory of the job as a whole", errno);
    group.set("memory.swap.max", "0");  // Absent without swap accounting.
    group.set("memory.oom.group", "1");
  }
  if (record.processes_by_group && record.processes_max > 0 &&
      !group.set("pids.max", number_text(record.processes_max)))
    add_note(notes, "the number of processes", errno);
  return group;
}

bool ControlGroup::join() const { return set("cgroup.procs", "0"); }

bool ControlGroup::kill() const { return set("cgroup.kill", "1"); }

std::uint64_t ControlGroup::value_in(const char* file, const char* key) const {
  const std::optional<std::string> text = read_file_at(folder_.get(), file);
  if (!text) return 0;
  const std::string wanted(key);
  std::size_t at = 0;
  while (at < text->size()) {
    if (text->compare(at, wanted.size(), wanted) == 0)
      return std::strtoull(text->c_str() + at + wanted.size(), nullptr, 10);
    at = text->find('\n', at);
    if (at == std::string::npos) break;
    ++at;
  }
  return 0;
}

std::uint64_t ControlGroup::out_of_memory_kills() const { return value_in("memory.events", "oom_kill "); }

std::uint64_t ControlGroup::memory_peak_bytes() const { return value_in("memory.peak", ""); }

std::int64_t ControlGroup::cpu_ns() const {
  return static_cast<std::int64_t>(value_in("cpu.stat", "usage_usec ")) * 1000;
}

void ControlGroup::remove() const { end_control_group(path_); }

void end_control_group(const std::string& path) {
  constexpr int kTries = 100;
  for (int number = 0; number < kTries; ++number) {
    if (::rmdir(path.c_str()) == 0 || errno != EBUSY) return;
    write_existing(path + "/cgroup.kill", "1");
    ::usleep(number < 10 ? 500 : 10'000);  // Killed processes leave the group as they are reaped.
  }
}

}  // namespace gw::supervise
