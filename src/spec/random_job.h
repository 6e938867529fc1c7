// Random jobs that keep to the rules, for the property tests of job descriptions.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/job_spec.h"
#include "spec/job_check.h"
#include "spec/job_text.h"

namespace gw::spec {

/// Draws jobs in which each part is left at its default about as often as not.
class RandomJob {
 public:
  explicit RandomJob(std::uint64_t seed) : rng_(seed) {}

  JobSpec draw() {
    JobSpec job;
    if (coin()) job.name = line(40);
    if (coin()) job.tenant = coin() ? name() : name() + "/" + name() + "/" + name();
    if (coin()) {
      job.command = {"x" + text(20)};
      for (std::uint64_t more = rng_.below(5); more > 0; --more) job.command.push_back(text(20));
    } else {
      job.script = "#!/bin/sh\n" + text(200);
      for (std::uint64_t more = rng_.below(3); more > 0; --more) job.arguments.push_back(text(20));
    }
    if (coin()) job.working_folder = "/" + line(20);
    for (char variable = 'A'; variable < 'E'; ++variable) {
      if (coin()) job.environment.emplace_back(std::string(1, variable) + "_1", text(30));
    }
    if (coin()) job.output = pattern();
    if (coin()) job.error = pattern();
    job.isolation = static_cast<Isolation>(rng_.below(3));
    if (job.isolation == Isolation::kContainer) job.image = "x" + line(10);
    if (coin()) job.launch = LaunchKind::kFirstNode;
    draw_resources(job);
    draw_times(job);
    if (coin()) job.comment = text(50);
    return job;
  }

 private:
  bool coin() { return rng_.below(2) == 0; }
  std::int64_t up_to(std::int64_t most) {  // Small numbers and the largest alike.
    const std::uint64_t bits = rng_.below(64);
    return static_cast<std::int64_t>(
               rng_.below(std::min<std::uint64_t>(most, std::uint64_t{1} << bits) + 1)) %
           (most + 1);
  }
  Nanoseconds span(std::int64_t least, std::int64_t most) {
    static constexpr std::int64_t kUnits[] = {1, 60, 3600, 86400};
    const std::int64_t unit = kUnits[rng_.below(4)];
    return seconds(std::max(least, up_to(most / unit) * unit));
  }

  std::string name() {
    static constexpr std::string_view kLetters = "abcXYZ0189._-";
    std::string text(1, "aZ7"[rng_.below(3)]);
    for (std::uint64_t more = rng_.below(8); more > 0; --more) text += kLetters[rng_.below(kLetters.size())];
    return text;
  }
  /// Any text without zero bytes.
  std::string text(std::uint64_t most) {
    static constexpr std::string_view kPieces[] = {
        "a",    "7", " ", "\"",     "\\",         "\n",     "\t",   "\r",   "\x01", "\x1f",
        "\x7f", "/", "ü", "\u20ac", "\U0001f600", "\u2028", "null", "true", "{",    "%"};
    std::string drawn;
    for (std::uint64_t more = rng_.below(most); more > 0; --more)
      drawn += kPieces[rng_.below(std::size(kPieces))];
    return drawn;
  }
  std::string line(std::uint64_t most) {
    std::string drawn = text(most);
    std::erase_if(drawn, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    return drawn;
  }
  std::string pattern() {
    std::string drawn = line(10);
    std::erase(drawn, '%');
    return drawn + "%j%A%a%x%N%u%t%%";
  }

  void draw_resources(JobSpec& job) {
    switch (rng_.below(4)) {
      case 0:
        job.nodes = 0;
        job.gpus = 1 + static_cast<std::uint32_t>(up_to(job_limits::kGpusAnywhere - 1));
        break;
      case 1:
        job.gpu_milli = 1 + static_cast<std::uint32_t>(rng_.below(999));
        break;
      case 2:
        job.nodes = 1 + static_cast<std::uint32_t>(up_to(job_limits::kNodes - 1));
        job.gpus = static_cast<std::uint32_t>(rng_.below(65));
        break;
      default:
        break;
    }
    if (job.nodes != 0 && coin()) job.tasks_per_node = 1 + static_cast<std::uint32_t>(rng_.below(4096));
    if ((job.gpus != 0 || job.gpu_milli != 0) && coin()) job.gpu_types = {"h100", "a-" + name()};
    if (coin()) job.cpu_milli = up_to(job_limits::kCpuMilli);
    if (coin()) job.memory_mib = up_to(job_limits::kMemoryMib);
    if (coin()) job.level = name();
    job.level_required = !job.level.empty() && coin();
    if (coin()) job.law.residency = {"EU", "CH"};
    if (coin()) job.law.excluded_jurisdictions = {"US", "x-" + name()};
    if (coin()) job.law.certifications = {"bsi-c5"};
    if (coin()) job.law.data = {"personal", "x-" + name()};
    if (job.nodes == 0 || job.gpu_milli != 0) return;
    if (coin()) {
      job.segment_nodes = 1 + static_cast<std::uint32_t>(rng_.below(8));
      job.nodes = std::max(1U, job.nodes / job.segment_nodes) * job.segment_nodes;
      if (coin()) job.segment_level = name();
      if (coin()) job.exclusive_level = "node";
    } else if (coin()) {
      job.spread_level = name();
      job.spread_required = coin();
    } else if (coin()) {
      job.exclusive_level = name();
    }
  }

  void draw_times(JobSpec& job) {
    if (coin()) job.reservation = name();
    if (coin()) job.limit = span(0, job_limits::kLongestSeconds);
    if (coin() && (job.limit.count() == 0 || job.limit > seconds(1))) {
      do {
        job.warning.signal = 1 + static_cast<int>(rng_.below(64));
      } while (!is_signal(job.warning.signal));
      job.warning.before = span(1, job_limits::kLongestSeconds);
      if (job.limit.count() != 0) job.warning.before = std::min(job.warning.before, job.limit - seconds(1));
      job.warning.whole_group = coin();
    }
    if (coin()) job.grace = span(0, job_limits::kLongestGraceSeconds);
    if (coin()) job.begin_unix = up_to(kLastTimePoint);
    if (coin()) job.priority = static_cast<std::int32_t>(up_to(4294967295) - 2147483648);
    job.hold = coin();
    if (coin()) {
      job.deadline_unix = static_cast<std::int64_t>(up_to(253'402'300'799));
      job.flexible = coin();
    }
    job.preemptible = coin();
    job.requeue = coin();
    job.keep_on_failure = job.requeue && coin();
    if (coin()) job.checkpoint_interval = span(0, job_limits::kLongestSeconds);
    if (job.nodes != 0 && job.nodes < job_limits::kNodes && job.gpu_milli == 0 && job.segment_nodes == 0 &&
        job.spread_level.empty() && (job.exclusive_level.empty() || job.exclusive_level == "node") &&
        (job.requeue || job.checkpoint_interval.count() == 0) && coin())
      job.nodes_max = static_cast<std::uint32_t>(job.nodes + 1 + up_to(job_limits::kNodes - job.nodes - 1));
    if (coin()) draw_array(job.array.emplace());
    for (std::uint64_t more = rng_.below(4); more > 0; --more)
      job.dependencies.push_back({static_cast<DependencyKind>(rng_.below(4)),
                                  1 + static_cast<std::uint64_t>(up_to(9'223'372'036'854'775'806))});
    job.any_dependency = !job.dependencies.empty() && coin();
  }

  void draw_array(ArraySpec& array) {
    std::uint32_t first = static_cast<std::uint32_t>(rng_.below(5));
    for (std::uint64_t more = 1 + rng_.below(3); more > 0; --more) {
      const std::uint32_t last = first + static_cast<std::uint32_t>(rng_.below(1000));
      array.ranges.push_back(normal_range({first, last, 1 + static_cast<std::uint32_t>(rng_.below(5))}));
      first = last + 1 + static_cast<std::uint32_t>(rng_.below(1000));
    }
    if (coin()) array.most_running = 1 + static_cast<std::uint32_t>(rng_.below(1'000'000));
  }

  Rng rng_;
};

}  // namespace gw::spec
