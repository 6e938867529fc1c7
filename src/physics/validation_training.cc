// Step times of the model beside published ones.
#include "physics/validation_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "physics/memory.h"

namespace gw::physics {

namespace {

std::string cell_of(const PublishedTraining& row) {
  return fmt::format("{} {}{}", row.gpu.name, precision_name(row.precision),
                     row.shape.mixture() ? " MoE" : "");
}

/// The largest parts of a step, for a reader who asks why.
std::string parts_of(const StepTime& time) {
  struct Part {
    const char* name;
    double seconds;
  };
  std::array parts = {Part{"products", time.products},
                      Part{"attention", time.attention},
                      Part{"element-wise", time.elementwise},
                      Part{"output layer", time.logits},
                      Part{"recomputation", time.recompute},
                      Part{"host", time.host},
                      Part{"tensor", time.tensor},
                      Part{"context", time.context},
                      Part{"expert", time.expert},
                      Part{"pipeline", time.pipeline},
                      Part{"data", time.data},
                      Part{"imbalance", time.imbalance},
                      Part{"bubble", time.bubble},
                      Part{"optimizer", time.optimizer},
                      Part{"stragglers", time.stragglers}};
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.seconds > b.seconds; });
  std::string text;
  for (std::size_t i = 0; i < 3; ++i)
    text +=
        fmt::format("{}{} {:.0f} %", i == 0 ? "" : ", ", parts[i].name, 100 * parts[i].seconds / time.total);
  return text;
}

/// The same run measured more than once, to all that the model is told: what is left between the measurements
/// no model of these inputs can explain.
class Repeats {
 public:
  void add(const PublishedTraining& row) {
    const Layout& layout = row.layout;
    const auto same = [&](const Measured& each) {
      const PublishedTraining& other = *each.row;
      const Layout& theirs = other.layout;
      return row.stack == other.stack && row.gpu.name == other.gpu.name && row.precision == other.precision &&
             row.shape.layers == other.shape.layers && row.shape.hidden == other.shape.hidden &&
             row.shape.parameters() == other.shape.parameters() && row.sequence == other.sequence &&
             row.global_batch == other.global_batch && row.drops_tokens == other.drops_tokens &&
             layout.tensor == theirs.tensor && layout.pipeline == theirs.pipeline &&
             layout.chunks == theirs.chunks && layout.data == theirs.data &&
             layout.context == theirs.context && layout.expert == theirs.expert &&
             layout.micro_batch == theirs.micro_batch && layout.recompute == theirs.recompute &&
             layout.sharding == theirs.sharding;
    };
    const auto found = std::find_if(runs_.begin(), runs_.end(), same);
    if (found == runs_.end()) {
      runs_.push_back({&row, row.measured_s, row.measured_s, 1, row.id});
      return;
    }
    found->least = std::min(found->least, row.measured_s);
    found->most = std::max(found->most, row.measured_s);
    ++found->times;
    found->ids += " " + row.id;
  }

  /// One sentence, or none where nothing was measured twice.
  [[nodiscard]] std::string summary(std::string_view kind) const {
    std::size_t configurations = 0;
    std::size_t rows = 0;
    double mean = 0;
    const Measured* widest = nullptr;
    for (const Measured& each : runs_) {
      if (each.times < 2) continue;
      ++configurations;
      rows += each.times;
      mean += each.spread();
      if (widest == nullptr || each.spread() > widest->spread()) widest = &each;
    }
    if (widest == nullptr) return "";
    return fmt::format(
        "{}: {} rows are {} configurations measured more than once; the slowest of each is {:.1f} % above "
        "the "
        "fastest on average, {:.1f} % at most ({}, {}). No model of these columns errs by less than half of "
        "that.",
        kind, rows, configurations, 100 * mean / static_cast<double>(configurations), 100 * widest->spread(),
        widest->row->model, widest->ids);
  }

 private:
  struct Measured {
    const PublishedTraining* row;
    double least, most;
    std::size_t times;
    std::string ids;

    [[nodiscard]] double spread() const { return most / least - 1; }
  };
  std::vector<Measured> runs_;
};

struct Told {
  const PublishedTraining* row;
  double ratio;  // Predicted over measured.
};

/// Rows of one source that differ from `row` in the number of GPUs, their memory and the micro-batch alone.
bool siblings(const PublishedTraining& row, const PublishedTraining& other) {
  return &row != &other && row.group == other.group && row.gpu.generation == other.gpu.generation &&
         row.precision == other.precision && row.shape.layers == other.shape.layers &&
         row.shape.parameters() == other.shape.parameters() && row.sequence == other.sequence &&
         row.layout.tensor == other.layout.tensor && row.layout.pipeline == other.layout.pipeline &&
         row.layout.recompute == other.layout.recompute && row.layout.sharding == other.layout.sharding;
}

/// A sentence on each dense row that is far off while its siblings are not: what it contradicts.
void note_contradictions(const std::vector<Told>& told, ReportBuilder& report) {
  constexpr double kFar = 0.12;   // What is promised of single rows.
  constexpr double kNear = 0.06;  // Of the median of siblings.
  for (const Told& each : told) {
    if (std::abs(each.ratio - 1) <= kFar) continue;
    std::vector<double> ratios;
    std::string ids;
    for (const Told& other : told) {
      if (!siblings(*each.row, *other.row)) continue;
      ratios.push_back(other.ratio);
      ids += (ids.empty() ? "" : ", ") + other.row->id;
    }
    if (ratios.empty()) continue;
    const double median = median_of(ratios);
    if (std::abs(median - 1) > kNear) continue;
    // The best that one factor on all of them can do: as far off above as below.
    const double apart = std::max(median / each.ratio, each.ratio / median);
    report.note(fmt::format(
        "{} is {:+.1f} % off, the {} of the same model, sequence, GPU generation and layout but for GPUs and "
        "micro-batch ({}) {:+.1f} %: what would mend the one would spoil the others. No model in which they "
        "differ "
        "as in this one errs by less than {:.1f} % on both.",
        each.row->id, 100 * (each.ratio - 1),
        ratios.size() == 1 ? std::string("one row") : fmt::format("{} rows", ratios.size()), ids,
        100 * (median - 1), 100 * (apart - 1) / (apart + 1)));
  }
}

}  // namespace

ValidationReport validate_training(const std::vector<PublishedTraining>& rows,
                                   const Calibration& calibration) {
  ReportBuilder report(
      "Training step time: error of the model, and of the median TFLOP/s per GPU type and precision");
  const auto rate = [](const PublishedTraining& row) {
    return row.global_batch * row.sequence * row.shape.training_flops_per_token(row.sequence) /
           (row.measured_s * row.layout.gpus());
  };
  std::map<std::string, std::vector<double>> rates;
  for (const PublishedTraining& row : rows) {
    if (row.reason.empty()) rates[cell_of(row)].push_back(rate(row));
  }
  std::map<std::string, double> medians;
  for (const auto& [cell, values] : rates) medians[cell] = median_of(values);
  Repeats dense;
  Repeats mixtures;
  std::vector<Told> told;  // Dense ones.
  std::size_t does_not_fit = 0;
  std::size_t unsaid = 0;
  for (const PublishedTraining& row : rows) {
    if (!row.reason.empty()) {
      report.leave_out(row.reason);
      continue;
    }
    (row.shape.mixture() ? mixtures : dense).add(row);
    const StepTime time = step_time(row.run(), calibration);
    if (!row.shape.mixture()) told.push_back({&row, time.total / row.measured_s});
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{}, {:.0f} x {}, {}", row.model, row.layout.gpus(), row.gpu.name,
                                  precision_name(row.precision));
    comparison.why = parts_of(time);
    if (!row.assumed.empty()) comparison.why += "; assumed " + row.assumed;
    comparison.measured = row.measured_s;
    comparison.predicted = time.total;
    comparison.error = time.total / row.measured_s - 1;
    comparison.null_error = rate(row) / medians[cell_of(row)] - 1;
    report.add(row.group + (row.shape.mixture() ? " MoE" : ""), cell_of(row),
               row.shape.mixture() ? "MoE, all groups" : "dense, all groups", std::move(comparison));
    const Stack& stack = stacks()[static_cast<std::size_t>(row.stack)];
    if (!training_memory(row.shape, row.layout, row.sequence, row.precision, row.gpu, stack).fits()) {
      ++does_not_fit;
      if (!row.recompute_known) ++unsaid;
    }
  }
  for (std::string sentence : {dense.summary("Dense"), mixtures.summary("MoE")}) {
    if (!sentence.empty()) report.note(std::move(sentence));
  }
  note_contradictions(told, report);
  if (does_not_fit > 0)
    report.note(fmt::format(
        "{} of the runs were made although the memory model says that they do not fit; {} of these do "
        "not say what they recompute.",
        does_not_fit, unsaid));
  return std::move(report).finish();
}

}  // namespace gw::physics
