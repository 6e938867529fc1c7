// Best first by what steady states allow; queues tell of those that may still be among the best.
#include "physics/serving_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace gw::physics {

namespace {

// The mean time per token of a queue stays below its target by chance, at a rate above that of the steady
// state which just keeps it; not by more than this (properties in serving_search_test.cc).
constexpr double kMargin = 1.15;
// Without targets replicas are not filled beyond this, as `gw physics serve` counts them.
constexpr double kFullness = 0.9;
// Prompt layouts that are tried beside each other one.
constexpr std::size_t kPromptLayouts = 2;
// Batch limits around the one whose steady state just keeps the time per token.
constexpr std::array kLimits = {0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.4};
// Prompt replicas around the number that balances both kinds; whole ones are tried besides.
constexpr std::array kShares = {0.8, 0.9, 1.0, 1.15};
// Of a highest rate.
constexpr double kPrecision = 0.002;
constexpr double kNever = std::numeric_limits<double>::infinity();

/// A way to serve, and how much its queue may reach at most.
struct Trial {
  ServingPool pool;
  double rate_bound = 0;
  double cost_bound = kNever;
};

bool same_layout(const ServingLayout& a, const ServingLayout& b) {
  return a.tensor == b.tensor && a.data == b.data && a.expert == b.expert;
}

bool same_manner(const ServingPool& a, const ServingPool& b) {
  return same_layout(a.deployment.layout, b.deployment.layout) && a.disaggregated() == b.disaggregated();
}

class Search {
 public:
  Search(const ServingSearchOptions& options, const ServingCalibration& calibration)
      : options_(options), calibration_(calibration), sample_(sample_of(options.load)) {
    targets_ = options.targets.first_token_s > 0 || options.targets.per_token_s > 0;
  }

  ServingSearchResult run() {
    const double tokens = options_.load.input + options_.load.output;
    const std::vector<ServingLayout> layouts = layouts_of(options_.base, tokens, true);
    std::vector<Trial> trials;
    const std::vector<PromptServer> servers = options_.apart ? prompt_servers() : std::vector<PromptServer>();
    std::vector<ServingLayout> served;
    for (const ServingLayout& layout : layouts) {
      switch (outlook_of(pool_of(layout))) {
        case Outlook::kNoRoom:
          ++result_.too_large;
          break;
        case Outlook::kTooSlow:
          ++result_.too_slow;
          break;
        case Outlook::kServes:
          served.push_back(layout);
          break;
      }
    }
    if (options_.together) {
      for (const ServingLayout& layout : served) add_trials(pool_of(layout), {}, trials);
    }
    for (const ServingLayout& layout : served) {
      for (const PromptServer& server : servers) {
        ServingPool pool = pool_of(layout);
        pool.prompt_deployment = server.deployment;
        add_trials(pool, server, trials);
      }
    }
    std::stable_sort(trials.begin(), trials.end(),
                     [](const Trial& a, const Trial& b) { return a.cost_bound < b.cost_bound; });
    for (const Trial& trial : trials) {
      if (trial.cost_bound > cost_to_beat(trial.pool)) {
        if (trial.cost_bound > worst_kept()) break;
        continue;
      }
      try_trial(trial);
    }
    for (ServingCandidate& each : result_.best) describe(each);
    return std::move(result_);
  }

 private:
  /// A replica that computes prompts only.
  struct PromptServer {
    Deployment deployment;
    double rate = 0;      // Requests per second within the target for the first token,
    double rate_max = 0;  // and when full.
  };

  [[nodiscard]] ServingPool pool_of(const ServingLayout& layout) const {
    ServingPool pool;
    pool.deployment = options_.base;
    pool.deployment.layout = layout;
    return pool;
  }

  /// All that divide the model and hold `tokens`; `counted`: those of decoding replicas, which may be given.
  std::vector<ServingLayout> layouts_of(const Deployment& base, double tokens, bool counted) {
    const ModelShape& model = *base.model;
    const std::uint32_t domain = std::max(1U, base.gpu->scaleup_domain);
    std::uint32_t most = options_.gpus_max != 0 ? options_.gpus_max : domain;
    if (counted) most = std::max({most, options_.gpus, options_.tensor * std::max(1U, options_.data)});
    const auto allowed = [&](std::uint32_t given, std::uint32_t value) {
      return !counted || given == 0 || given == value;
    };
    std::vector<ServingLayout> layouts;
    for (std::uint32_t tensor = 1; tensor <= std::min(most, model.heads); ++tensor) {
      if (model.heads % tensor != 0 || !allowed(options_.tensor, tensor)) continue;
      for (std::uint32_t data = 1; tensor * data <= (model.mixture() ? most : tensor); ++data) {
        if (!allowed(options_.data, data) || !allowed(options_.gpus, tensor * data)) continue;
        for (std::uint32_t expert = 1; expert <= (model.mixture() ? tensor * data : 1); ++expert) {
          if (!allowed(options_.expert, expert)) continue;
          if (model.mixture() && (tensor * data % expert != 0 || model.experts.count % expert != 0)) continue;
          Deployment deployment = base;
          deployment.layout = {tensor, data, expert};
          if (!check_deployment(deployment)) continue;
          if (counted) ++result_.layouts;
          if (cache_sequences(deployment, tokens) >= 1)
            layouts.push_back(deployment.layout);
          else if (counted)
            ++result_.too_large;
        }
      }
    }
    return layouts;
  }

  /// The best few for each GPU.
  std::vector<PromptServer> prompt_servers() {
    Deployment base = options_.base;
    if (options_.prompt_gpu != nullptr) base.gpu = options_.prompt_gpu;
    std::vector<PromptServer> servers;
    for (const ServingLayout& layout : layouts_of(base, options_.load.input, false)) {
      PromptServer server;
      server.deployment = base;
      server.deployment.layout = layout;
      // Answers of one token end with their prompt: what remains is the queue of prompts.
      ServingPool pool = pool_of(layout);
      pool.deployment.gpu = base.gpu;
      pool.prompt_deployment = server.deployment;
      RandomLoad prompts = options_.load;
      prompts.output = 1;
      server.rate_max = steady_rate(pool, prompts, calibration_);
      server.rate = server.rate_max;
      servers.push_back(server);
    }
    const auto better = [](const PromptServer& a, const PromptServer& b) {
      return a.rate * b.deployment.layout.gpus() > b.rate * a.deployment.layout.gpus();
    };
    std::stable_sort(servers.begin(), servers.end(), better);
    if (options_.targets.first_token_s <= 0) {
      if (servers.size() > kPromptLayouts) servers.resize(kPromptLayouts);
      return servers;
    }
    std::vector<PromptServer> kept;
    RandomLoad prompts = options_.load;
    prompts.output = 1;
    LatencyTargets first = options_.targets;
    first.per_token_s = 0;
    for (PromptServer& server : servers) {
      const double bound = server.rate_max / server.deployment.layout.gpus();
      if (kept.size() >= kPromptLayouts && bound <= kept.back().rate / kept.back().deployment.layout.gpus())
        break;
      ServingPool pool = pool_of(server.deployment.layout);
      pool.deployment.gpu = base.gpu;
      pool.prompt_deployment = server.deployment;
      server.rate = highest_rate(pool, prompts, first, calibration_);
      result_.simulated += 2;
      if (server.rate <= 0) continue;
      kept.push_back(server);
      std::stable_sort(kept.begin(), kept.end(), better);
      if (kept.size() > kPromptLayouts) kept.pop_back();
    }
    return kept;
  }

  [[nodiscard]] ServingState steady(const ServingPool& pool, double sequences) const {
    ServingLoad load;
    load.input = options_.load.input;
    load.output = options_.load.output;
    load.spread = options_.load.spread;
    load.sequences = sequences;
    load.prompts_here = !pool.disaggregated();
    return steady_state(pool.deployment, load, calibration_);
  }

  enum class Outlook : std::uint8_t { kNoRoom, kTooSlow, kServes };

  [[nodiscard]] double fitting_in(const ServingPool& pool) const {
    return std::floor(
        most_sequences(pool.deployment, options_.load.input, options_.load.output, options_.load.spread));
  }

  /// Whether there is room for the requests that are asked for, and one of them alone keeps the time per
  /// token.
  [[nodiscard]] Outlook outlook_of(const ServingPool& pool) const {
    if (fitting_in(pool) < std::max(1.0, options_.sequences_max)) return Outlook::kNoRoom;
    if (options_.targets.per_token_s <= 0) return Outlook::kServes;
    Pass least;
    least.sequences = 1;
    return pass_time(pool.deployment, least, calibration_).total > options_.targets.per_token_s
               ? Outlook::kTooSlow
               : Outlook::kServes;
  }

  /// Trials of one layout that serves: batch limits and, with prompts apart, how many replicas these have.
  void add_trials(ServingPool pool, const PromptServer& server, std::vector<Trial>& trials) {
    const double fitting = fitting_in(pool);
    const double target = options_.targets.per_token_s;
    double balanced = fitting;  // Whose steady state just keeps the time per token.
    if (target > 0 && steady(pool, fitting).pass_s > target) {
      double low = 1;
      double high = fitting;
      for (int i = 0; i < 30; ++i) {
        const double middle = (low + high) / 2;
        (steady(pool, middle).pass_s <= target ? low : high) = middle;
      }
      balanced = low;
    }
    const double margin = target > 0 ? kMargin : 1;
    const double bound =
        std::min(steady(pool, balanced).requests_s * margin, steady(pool, fitting).requests_s);
    const auto add = [&](double limit) {
      pool.sequences_max = limit;
      Trial trial{pool, bound, kNever};
      if (limit > 0) trial.rate_bound = std::min(bound, steady(pool, limit).requests_s);
      if (!pool.disaggregated()) {
        trial.pool.prompt_replicas = 1;
        trials.push_back(trial);
        trials.back().cost_bound = cost_of(trial.pool, trial.rate_bound);
        return;
      }
      const auto add_apart = [&](double prompt_replicas) {
        if (prompt_replicas < 0.01) return;
        trials.push_back(trial);
        Trial& apart = trials.back();
        apart.pool.prompt_replicas = prompt_replicas;
        apart.rate_bound = std::min(trial.rate_bound, prompt_replicas * server.rate_max);
        apart.cost_bound = cost_of(apart.pool, apart.rate_bound);
      };
      const double balanced_replicas = trial.rate_bound / server.rate;
      for (const double share : kShares) add_apart(share * balanced_replicas);
      // Whole ones queue less than a share of one.
      add_apart(std::floor(balanced_replicas));
      add_apart(std::ceil(balanced_replicas));
    };
    if (options_.sequences_max > 0) {
      add(options_.sequences_max);
      return;
    }
    add(0);
    if (balanced >= fitting) return;
    double before = 0;
    for (const double share : kLimits) {
      const double limit = std::max(1.0, std::floor(share * balanced));
      if (limit < fitting && limit > before) add(limit);
      before = limit;
    }
  }

  /// GPUs for the rate that is asked, else GPU-seconds for a request.
  [[nodiscard]] double cost_of(const ServingPool& pool, double rate) const {
    if (rate <= 0) return kNever;
    if (options_.rate <= 0) return pool.gpus() / rate;
    return pool.gpus_of(replicas_of(rate));
  }
  [[nodiscard]] double replicas_of(double rate) const { return std::ceil(options_.rate / rate - 1e-9); }

  [[nodiscard]] double worst_kept() const {
    return result_.best.size() < options_.keep ? kNever
                                               : cost_of(result_.best.back().pool, result_.best.back().rate);
  }

  /// Above this a trial is of no use: the worst of a full list, or the same layout's own.
  [[nodiscard]] double cost_to_beat(const ServingPool& pool) const {
    for (const ServingCandidate& each : result_.best) {
      if (same_manner(each.pool, pool)) return cost_of(each.pool, each.rate);
    }
    return worst_kept();
  }

  /// The lowest rate at which `pool` costs no more than `cost`; 0 where any does.
  [[nodiscard]] double rate_for(const ServingPool& pool, double cost) const {
    if (cost == kNever) return 0;
    if (options_.rate <= 0) return pool.gpus() / cost;
    double replicas = std::floor(cost / pool.deployment.layout.gpus() + 1e-9);
    while (replicas >= 1 && cost_of(pool, options_.rate / replicas) > cost) --replicas;
    return replicas >= 1 ? options_.rate / replicas : kNever;
  }

  bool keeps(const ServingPool& pool, double rate) {
    ++result_.simulated;
    return keeps_targets(pool, rate, sample_, options_.targets, calibration_);
  }

  /// The highest rate that keeps the targets, as highest_rate() finds it; 0 where it is below `least`.
  double highest_above(const Trial& trial, double least) {
    double high = std::min(trial.rate_bound, steady_rate(trial.pool, options_.load, calibration_));
    double low = std::max(least, high / 100);
    if (low > high || !keeps(trial.pool, low)) return 0;
    if (keeps(trial.pool, high)) return high;
    while (high - low > kPrecision * low) {
      const double middle = (low + high) / 2;
      (keeps(trial.pool, middle) ? low : high) = middle;
    }
    return low;
  }

  void try_trial(const Trial& trial) {
    double rate = 0;
    if (!targets_) {
      rate = kFullness * trial.rate_bound;
    } else {
      rate = highest_above(trial, rate_for(trial.pool, cost_to_beat(trial.pool)));
    }
    if (rate <= 0) return;
    insert(trial.pool, rate);
  }

  void insert(const ServingPool& pool, double rate) {
    ServingCandidate candidate;
    candidate.pool = pool;
    candidate.rate = rate;
    candidate.tokens_s_gpu = rate * options_.load.output / pool.gpus();
    const auto before = [&](const ServingCandidate& a, const ServingCandidate& b) {
      const double one = cost_of(a.pool, a.rate);
      const double other = cost_of(b.pool, b.rate);
      return one < other || (one == other && a.tokens_s_gpu > b.tokens_s_gpu);
    };
    std::vector<ServingCandidate>& best = result_.best;
    const auto same = std::find_if(
        best.begin(), best.end(), [&](const ServingCandidate& each) { return same_manner(each.pool, pool); });
    if (same != best.end()) {
      if (!before(candidate, *same)) return;
      best.erase(same);
    }
    best.insert(std::upper_bound(best.begin(), best.end(), candidate, before), candidate);
    if (best.size() > options_.keep) best.pop_back();
  }

  /// How many it takes, and how long users wait.
  void describe(ServingCandidate& each) {
    const double prompt_gpus = each.pool.disaggregated() ? each.pool.prompt_deployment.layout.gpus() : 0;
    each.prompt_replicas = each.pool.disaggregated() ? each.pool.prompt_replicas : 0;
    double rate = each.rate;
    if (options_.rate > 0) {
      const double replicas = replicas_of(each.rate);
      each.replicas = static_cast<std::uint32_t>(std::min(replicas, 4e9));
      each.prompt_replicas = each.pool.whole_prompt_replicas(replicas);
      // Users meet what stands there, not the share that it was found by.
      if (each.pool.disaggregated()) each.pool.prompt_replicas = each.prompt_replicas / replicas;
      rate = options_.rate / replicas;
    }
    each.gpus = each.replicas * each.pool.deployment.layout.gpus() + each.prompt_replicas * prompt_gpus;
    each.queue =
        simulate_queue(each.pool,
                       random_requests(rate, options_.load.input, options_.load.output, options_.load.spread,
                                       options_.load.count, options_.load.seed, options_.load.sharers),
                       calibration_);
    ++result_.simulated;
  }

  const ServingSearchOptions& options_;
  const ServingCalibration& calibration_;
  std::vector<ServingRequest> sample_;
  bool targets_ = false;
  ServingSearchResult result_;
};

}  // namespace

ServingSearchResult search_serving(const ServingSearchOptions& options,
                                   const ServingCalibration& calibration) {
  return Search(options, calibration).run();
}

}  // namespace gw::physics
