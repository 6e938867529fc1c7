// check_job: what every JobSpec must keep to, wherever it came from: a file, the API, an sbatch script.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/job_spec.h"

namespace gw::spec {

/// Bounds of a job's description.
namespace job_limits {
inline constexpr std::size_t kNameBytes = 200;
inline constexpr std::size_t kWords = 4096;            ///< Of a command or its arguments.
inline constexpr std::size_t kWordsBytes = 128 << 10;  ///< All together, each with its end.
inline constexpr std::size_t kScriptBytes = 1 << 20;
inline constexpr std::size_t kEnvironmentBytes = 1 << 20;       ///< Names and values, each with its end.
inline constexpr std::size_t kVariableBytes = (128 << 10) - 1;  ///< `NAME=value`: Linux's MAX_ARG_STRLEN.
inline constexpr std::size_t kPathBytes = 4095;                 ///< Linux's PATH_MAX without its end.
inline constexpr std::size_t kImageBytes = 1024;
inline constexpr std::size_t kCommentBytes = 4096;
inline constexpr std::uint32_t kNodes = 20'000'000;  ///< As many as a fleet may have.
inline constexpr std::uint32_t kGpusPerNode = 64;
inline constexpr std::uint32_t kGpusAnywhere = kNodes * kGpusPerNode;
inline constexpr std::size_t kGpuTypes = 64;
inline constexpr std::int64_t kCpuMilli = 1'000'000'000'000;       ///< A thousand million cores.
inline constexpr std::int64_t kMemoryMib = std::int64_t{1} << 40;  ///< 1 EiB.
inline constexpr std::uint32_t kTasksPerNode = 4096;
inline constexpr std::size_t kLegalNames = 300;  ///< Of countries, groups, certificates or classes of data.
inline constexpr std::size_t kDependencies = 1000;
inline constexpr std::int64_t kLongestSeconds = 36500LL * 86400;  ///< A hundred years of 365 days.
inline constexpr std::int64_t kLongestGraceSeconds = 86400;
}  // namespace job_limits

struct JobProblem {
  std::string key;      ///< Of the job's file: `array`, `warning.before`.
  std::string message;  ///< What is wrong; what would be right.
};

/// All that is wrong with `job` by itself; whether a factory can run it is for its admission to say.
std::vector<JobProblem> check_job(const JobSpec& job);

/// What to call a job that has no name: after its program, or `script`.
std::string default_job_name(const JobSpec& job);

}  // namespace gw::spec
