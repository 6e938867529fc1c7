// Every layout that divides, in a fixed order; memory first, because it is cheaper and says no more often.
#include "physics/search.h"

#include <algorithm>

namespace gw::physics {

namespace {

std::vector<std::uint32_t> divisors(std::uint32_t number, std::uint32_t most) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t each = 1; each <= std::min(number, most); ++each) {
    if (number % each == 0) all.push_back(each);
  }
  return all;
}

std::vector<std::uint32_t> powers(std::uint32_t most) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t each = 1; each <= most; each *= 2) all.push_back(each);
  return all;
}

bool is_meant(std::uint32_t given, std::uint32_t degree) { return given == 0 || given == degree; }

class Search {
 public:
  Search(const SearchOptions& options, const Calibration& calibration)
      : options_(options), calibration_(calibration) {
    if (options.recompute) recomputes_ = {*options.recompute};
    if (options.sharding) shardings_ = {*options.sharding};
  }

  SearchResult run() {
    const ModelShape& model = *options_.model;
    const std::uint32_t domain = options_.gpu->scaleup_domain;
    for (const std::uint32_t tensor : divisors(options_.gpus, std::min(model.heads, domain))) {
      if (model.heads % tensor != 0 || !is_meant(options_.tensor, tensor)) continue;
      const std::uint32_t rest = options_.gpus / tensor;
      for (const std::uint32_t pipeline : divisors(rest, model.layers)) {
        if (!is_meant(options_.pipeline, pipeline)) continue;
        for (const std::uint32_t context : powers(options_.context_max)) {
          if ((rest / pipeline) % context != 0 || !is_meant(options_.context, context)) continue;
          layout_ = {};
          layout_.tensor = tensor;
          layout_.pipeline = pipeline;
          layout_.context = context;
          layout_.data = rest / pipeline / context;
          if (options_.global_batch % layout_.data == 0) try_rest();
        }
      }
    }
    return std::move(result_);
  }

 private:
  void try_rest() {
    const ModelShape& model = *options_.model;
    const std::uint32_t stage_gpus = layout_.tensor * layout_.context * layout_.data;
    const std::vector<std::uint32_t> experts =
        model.mixture() ? divisors(model.experts.count, stage_gpus) : std::vector<std::uint32_t>{1};
    // Stages of whole layers, or of whole layers when the embedding and the output layer count as one each.
    std::vector<std::uint32_t> chunks = {1};
    if (layout_.pipeline > 1) {
      const std::uint32_t layers = model.layers % layout_.pipeline == 0
                                       ? model.layers
                                       : (model.layers + 2) / layout_.pipeline * layout_.pipeline;
      chunks = divisors(layers / layout_.pipeline, layers);
    }
    for (const std::uint32_t expert : experts) {
      if (stage_gpus % expert != 0 || !is_meant(options_.expert, expert)) continue;
      layout_.expert = expert;
      for (const std::uint32_t micro_batch : powers(options_.micro_batch_max)) {
        if (options_.global_batch % (layout_.data * micro_batch) != 0) break;
        if (!is_meant(options_.micro_batch, micro_batch)) continue;
        layout_.micro_batch = micro_batch;
        for (const std::uint32_t each : chunks) {
          if (!is_meant(options_.chunks, each)) continue;
          layout_.chunks = each;
          // Interleaving needs as many micro-batches as stages, in whole rounds.
          if (each > 1 && options_.global_batch / (layout_.data * micro_batch) % layout_.pipeline != 0) break;
          for (const Sharding sharding : shardings_) {
            if (sharding == Sharding::kFull && layout_.pipeline > 1) break;
            layout_.sharding = sharding;
            try_recompute();
          }
        }
      }
    }
  }

  /// The least recomputation that fits; more of it is never faster.
  void try_recompute() {
    for (const Recompute recompute : recomputes_) {
      layout_.recompute = recompute;
      const TrainingMemory memory =
          training_memory(*options_.model, layout_, options_.sequence, options_.precision, *options_.gpu,
                          stacks()[static_cast<std::size_t>(options_.stack)]);
      if (memory.fits()) {
        keep(memory);
        return;
      }
      ++result_.too_large;
      if (result_.nearest.memory.total == 0 || memory.total < result_.nearest.memory.total)
        result_.nearest = {layout_, {}, memory};
    }
  }

  void keep(const TrainingMemory& memory) {
    TrainingRun run{options_.model,
                    options_.gpu,
                    options_.stack,
                    layout_,
                    options_.precision,
                    options_.sequence,
                    double{1} * options_.global_batch};
    run.copies_per_expert = options_.copies_per_expert;
    run.overlaps_experts = options_.overlaps_experts;
    const StepTime time = step_time(run, calibration_);
    ++result_.timed;
    std::vector<Candidate>& best = result_.best;
    if (best.size() == options_.keep && time.total >= best.back().time.total) return;
    const auto after = std::upper_bound(
        best.begin(), best.end(), time.total,
        [](double total, const Candidate& candidate) { return total < candidate.time.total; });
    best.insert(after, {layout_, time, memory});
    if (best.size() > options_.keep) best.pop_back();
  }

  const SearchOptions& options_;
  const Calibration& calibration_;
  std::vector<Recompute> recomputes_ = {Recompute::kNone, Recompute::kFull};
  std::vector<Sharding> shardings_ = {Sharding::kOptimizer, Sharding::kFull};
  Layout layout_;
  SearchResult result_;
};

}  // namespace

SearchResult search_layouts(const SearchOptions& options, const Calibration& calibration) {
  return Search(options, calibration).run();
}

}  // namespace gw::physics
