// Runs of equal steps, found greedily.
#include "live/task_indices.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace gw::live {

TaskIndices::TaskIndices(const std::vector<std::uint32_t>& ascending) {
  for (std::uint32_t position = 0; position < ascending.size(); ++position) {
    const std::uint32_t index = ascending[position];
    if (!runs_.empty()) {
      Run& run = runs_.back();
      const std::uint32_t last = run.first + (run.count - 1) * run.step;
      GW_CHECK(index > last);
      if (run.count == 1) run.step = index - last;
      if (index - last == run.step) {
        ++run.count;
        continue;
      }
      // Two far apart make no run: the second may begin one.
      if (run.count == 2 && run.step > 1 && index - last < run.step) {
        run.count = 1;
        run.step = 1;
        runs_.push_back({last, index - last, 2, position - 1});
        continue;
      }
    }
    runs_.push_back({index, 1, 1, position});
  }
}

const TaskIndices::Run& TaskIndices::run_of(std::uint32_t position) const {
  GW_CHECK(position < size());
  return *std::prev(
      std::upper_bound(runs_.begin(), runs_.end(), position,
                       [](std::uint32_t value, const Run& run) { return value < run.position; }));
}

std::uint32_t TaskIndices::at(std::uint32_t position) const {
  const Run& run = run_of(position);
  return run.first + (position - run.position) * run.step;
}

std::optional<std::uint32_t> TaskIndices::position_of(std::uint32_t index) const {
  const auto behind = std::upper_bound(runs_.begin(), runs_.end(), index,
                                       [](std::uint32_t value, const Run& run) { return value < run.first; });
  if (behind == runs_.begin()) return std::nullopt;
  const Run& run = *std::prev(behind);
  const std::uint32_t from = index - run.first;
  if (from % run.step != 0 || from / run.step >= run.count) return std::nullopt;
  return run.position + from / run.step;
}

std::string TaskIndices::text(std::uint32_t position, std::uint32_t count) const {
  GW_CHECK(count > 0 && position + count <= size());
  constexpr int kMostRuns = 6;
  std::string text;
  const std::uint32_t end = position + count;
  for (int runs = 0; position < end; ++runs) {
    if (runs == kMostRuns) return text + fmt::format(",...,{}", at(end - 1));
    const Run& run = run_of(position);
    const std::uint32_t taken = std::min(end, run.position + run.count) - position;
    const std::uint32_t first = at(position);
    const std::uint32_t last = first + (taken - 1) * run.step;
    if (!text.empty()) text += ',';
    text += fmt::format("{}", first);
    if (taken == 2 && run.step > 1) {
      text += fmt::format(",{}", last);
    } else if (taken > 1) {
      text += fmt::format("-{}", last);
      if (run.step > 1) text += fmt::format(":{}", run.step);
    }
    position += taken;
  }
  return text;
}

}  // namespace gw::live
