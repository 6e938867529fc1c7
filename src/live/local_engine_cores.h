// CoreBook: which cores which job runs on, where no control group shares them out.
#pragma once

#include <cstdint>
#include <vector>

namespace gw::live {

/// Gives jobs the cores with the least on them; neighbours stay together where cores are equally free.
class CoreBook {
 public:
  /// Cores that this process may use, in the order in which neighbours stand.
  explicit CoreBook(std::vector<std::uint32_t> cores) : cores_(std::move(cores)), load_(cores_.size()) {}

  /// Cores for so many thousandths of a core: as many whole cores as it takes. Empty where that is all of
  /// them, or no limit (0).
  std::vector<std::uint32_t> take(std::int64_t cpu_milli);
  /// What a job already has, or had.
  void add(const std::vector<std::uint32_t>& cores, std::int64_t cpu_milli);
  void give_back(const std::vector<std::uint32_t>& cores, std::int64_t cpu_milli);

 private:
  void change(const std::vector<std::uint32_t>& cores, std::int64_t milli_each);

  std::vector<std::uint32_t> cores_;
  std::vector<std::int64_t> load_;  ///< Thousandths, by index into cores_.
};

/// The cores that this process may run on.
std::vector<std::uint32_t> usable_cores();

}  // namespace gw::live
