// Names of the files that a job wants its output in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gw::live {

/// What the characters of a pattern stand for.
struct OutputPatternValues {
  std::uint64_t job = 0;          ///< %j
  std::uint64_t array_job = 0;    ///< %A; the job's own number where it is of no array.
  std::uint32_t array_index = 0;  ///< %a
  std::string name;               ///< %x
  std::string node;               ///< %N
  std::string user;               ///< %u
  std::uint32_t rank = 0;         ///< %t
};

/// Replaces %j, %A, %a, %x, %N, %u, %t and %%; a number after the % pads with zeros to that width (%4a), to
/// ten at most. What is put in never leads to another folder: `/` and control characters in it become `_`,
/// and so does a dot that it would begin a file name with. Other characters after a % stay as they are.
std::string expand_output_pattern(std::string_view pattern, const OutputPatternValues& values);

}  // namespace gw::live
