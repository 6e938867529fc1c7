// Continuous batching: every pass admits what fits, computes prompts up to a chunk and one token of each
// sequence.
#include "physics/serving_queue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "base/check.h"
#include "base/math.h"
#include "physics/collectives.h"

namespace gw::physics {

namespace {

// Passes between arrivals, admissions and ends are alike but for one token each: so many are taken at once.
constexpr double kLeap = 16;

LatencySummary summary_of(const std::vector<double>& values) {
  LatencySummary summary;
  if (values.empty()) return summary;
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](double percentile) {
    const auto count = static_cast<double>(sorted.size());
    const double at = std::max(1.0, std::ceil(percentile / 100 * count - 1e-9));
    return sorted[static_cast<std::size_t>(at) - 1];
  };
  for (const double each : sorted) summary.mean += each / static_cast<double>(sorted.size());
  summary.p50 = rank(50);
  summary.p90 = rank(90);
  summary.p99 = rank(99);
  return summary;
}

void summarise(QueueResult& result) {
  result.first_token = summary_of(result.first_tokens);
  result.per_token = summary_of(result.per_tokens);
}

struct Ready {
  double at_s = 0;  // When a decoding replica may take it,
  std::size_t request = 0;
  double first_s = 0;  // and when its first token was there.
};

/// The prompts of `requests` by replicas of their own: first come, first served, several small ones in a
/// pass.
std::vector<Ready> compute_prompts(const ServingPool& pool, std::span<const ServingRequest> requests,
                                   const ServingCalibration& calibration) {
  const Deployment& deployment = pool.prompt_deployment;
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const double chunk = engine.pass_tokens(*deployment.gpu) * deployment.layout.data;
  // A share of a replica is one that takes the same share of the requests: as fast, less often. All of them
  // bear the part that is missing to a whole number.
  const auto servers = static_cast<std::size_t>(pool.whole_prompt_replicas(1));
  const double share = std::max(1.0, static_cast<double>(servers) / std::max(1e-9, pool.prompt_replicas));
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  for (std::size_t i = 0; i < servers; ++i) free.push(-std::numeric_limits<double>::infinity());
  std::vector<Ready> ready;
  ready.reserve(requests.size());
  const double links =
      std::max(1.0, pool.deployment.gpu->network_bytes_s * published_fabric_constants().network.efficiency);
  for (std::size_t i = 0; i < requests.size();) {
    const double start = std::max(free.top(), requests[i].at_s);
    free.pop();
    // What waits by then joins the pass while its chunk has room.
    std::size_t end = i;
    double tokens = 0;
    double looked = 0;
    while (end < requests.size() && requests[end].at_s <= start &&
           (end == i || tokens + requests[end].input <= chunk)) {
      tokens += requests[end].input;
      looked += requests[end].input * requests[end].input / 2;
      ++end;
    }
    double seconds = 0;
    if (tokens <= chunk) {
      Pass pass;
      pass.prompt_tokens = tokens;
      pass.prompt_context = looked / tokens;
      seconds = pass_time(deployment, pass, calibration).total;
    } else {
      seconds = prompt_seconds(deployment, tokens, calibration);
    }
    const double done = start + seconds;
    free.push(start + seconds * share);
    for (; i < end; ++i) {
      // Each GPU of the decoding replica receives its part of the cache through its own port.
      const double bytes = cache_bytes_read(pool.deployment, requests[i].input);
      ready.push_back({done + bytes / links, i, done});
    }
  }
  std::stable_sort(ready.begin(), ready.end(),
                   [](const Ready& a, const Ready& b) { return a.at_s < b.at_s; });
  return ready;
}

struct Running {
  std::size_t request = 0;
  double first_s = 0;
  double kept = 0;  // Bytes of its cache.
};

struct End {
  double pass = 0;  // Number of the pass that computes its last token.
  Running running;
  bool operator>(const End& other) const {
    return pass > other.pass || (pass == other.pass && running.request > other.running.request);
  }
};

/// One replica, pass by pass.
class Replica {
 public:
  /// With `targets` it may stop once it is sure that these are not kept.
  Replica(const ServingPool& pool, std::span<const ServingRequest> requests,
          const ServingCalibration& calibration, const LatencyTargets* targets = nullptr)
      : pool_(pool),
        requests_(requests),
        calibration_(calibration),
        targets_(targets),
        engine_(serving_engines()[static_cast<std::size_t>(pool.deployment.engine)]) {
    cache_ = serving_memory(pool.deployment).cache() * pool.deployment.layout.data;
    most_ = double{1} * engine_.rank_sequences * pool.deployment.layout.data;
    if (pool.sequences_max > 0) most_ = std::min(most_, pool.sequences_max);
    chunk_ = engine_.pass_tokens(*pool.deployment.gpu) * pool.deployment.layout.data;
    result_.first_tokens.assign(requests.size(), -1);
    result_.per_tokens.assign(requests.size(), -1);
  }

  QueueResult run() {
    begin();
    while (under_way()) step();
    finish();
    return std::move(result_);
  }

  /// Whether the targets are kept: as meets() says of run().
  bool keeps() {
    begin();
    const auto count = static_cast<double>(requests_.size());
    const double rank = std::clamp(std::ceil(targets_->percentile / 100 * count - 1e-9), 1.0, count);
    const double most_late = count - rank;
    while (under_way()) {
      step();
      if (result_.impossible > 0 || late_first_ > most_late || late_tokens_ > most_late) return false;
    }
    finish();
    return meets(result_, *targets_);
  }

 private:
  struct Prompt {
    Running running;
    double left = 0;
  };

  void begin() {
    if (pool_.disaggregated()) {
      arrivals_ = compute_prompts(pool_, requests_, calibration_);
    } else {
      arrivals_.reserve(requests_.size());
      for (std::size_t i = 0; i < requests_.size(); ++i) arrivals_.push_back({requests_[i].at_s, i, 0});
    }
    if (!arrivals_.empty()) now_ = arrivals_.front().at_s;
  }

  [[nodiscard]] bool under_way() const {
    return next_ < arrivals_.size() || !prompts_.empty() || !ends_.empty();
  }

  void step() {
    if (admits()) {
      admit();
      admission_ = count_ + engine_.admission_passes + (prompts_.empty() ? 0 : 1);
    }
    if (prompts_.empty() && ends_.empty()) {
      if (next_ < arrivals_.size()) now_ = std::max(now_, arrivals_[next_].at_s);
      return;
    }
    Pass pass;
    pass.sequences = static_cast<double>(ends_.size());
    if (!ends_.empty()) pass.context = context_ / pass.sequences;
    double room = held_back() ? 0 : chunk_ - pass.sequences;
    std::size_t finished = 0;
    double looked = 0;
    double longest = 0;
    for (Prompt& prompt : prompts_) {
      if (room <= 0) break;
      const double tokens = std::min(room, prompt.left);
      const double done = requests_[prompt.running.request].input - prompt.left;
      looked += tokens * (done + tokens / 2);
      prompt.left -= tokens;
      pass.prompt_tokens += tokens;
      room -= tokens;
      longest = std::max(longest, tokens);
      if (prompt.left <= 0) ++finished;
    }
    if (pass.prompt_tokens > 0) {
      const double data = pool_.deployment.layout.data;
      pass.prompt_context = looked / pass.prompt_tokens;
      if (data > 1) pass.busiest_prompt_tokens = std::max(pass.prompt_tokens / data, longest);
    }
    const PassTime time = pass_time(pool_.deployment, pass, calibration_);
    const double passes = pass.prompt_tokens > 0 ? 1 : leap(time.total);
    now_ += passes * time.total;
    count_ += passes;
    busy_s_ += passes * time.total;
    sequence_passes_ += passes * pass.sequences;
    memory_s_ += passes * time.total * time.memory_use;
    arithmetic_s_ += passes * time.total * time.arithmetic_use;
    context_ += passes * pass.sequences;
    retire();
    start_decoding(finished);
  }

  /// Whether the next pass may take requests in: an engine that schedules several passes at once lets none
  /// join between them.
  [[nodiscard]] bool admits() const {
    return engine_.admission_passes <= 1 || count_ >= admission_ || (prompts_.empty() && ends_.empty());
  }

  /// Whether prompts wait for others, so that each data-parallel rank has some when they hold up all.
  bool held_back() {
    const double most = engine_.prompt_wait_passes;
    if (most <= 0 || pool_.deployment.layout.data <= 1) return false;
    if (prompts_.empty()) {
      held_until_ = -1;
      return false;
    }
    if (held_until_ < 0) held_until_ = count_ + most;
    const bool ready = ends_.empty() || count_ >= held_until_ ||
                       static_cast<double>(prompts_.size()) >= pool_.deployment.layout.data;
    if (ready) held_until_ = -1;
    return !ready;
  }

  /// How many like passes fit before a sequence ends or a request arrives or prompts are taken up.
  [[nodiscard]] double leap(double seconds) const {
    double passes = std::max(1.0, std::min(kLeap, ends_.top().pass - count_));
    if (engine_.admission_passes > 1) passes = std::min(passes, std::max(1.0, admission_ - count_));
    if (held_until_ > count_) passes = std::min(passes, held_until_ - count_);
    if (next_ < arrivals_.size() && waiting() == 0)
      passes = std::min(passes, std::max(1.0, std::ceil((arrivals_[next_].at_s - now_) / seconds)));
    return std::floor(passes);
  }

  [[nodiscard]] std::size_t waiting() const {
    return next_ < arrivals_.size() && arrivals_[next_].at_s <= now_ ? 1 : 0;
  }

  void admit() {
    while (waiting() > 0) {
      const Ready& each = arrivals_[next_];
      const ServingRequest& request = requests_[each.request];
      const double kept = cache_bytes_kept(
          pool_.deployment, request.input + (engine_.reserves_output ? request.output : request.output / 2));
      if (kept > cache_) {  // It would wait for ever.
        ++result_.impossible;
        ++next_;
        continue;
      }
      if (kept_ + kept > cache_ || static_cast<double>(ends_.size() + prompts_.size()) >= most_) return;
      kept_ += kept;
      ++next_;
      const Running running{each.request, each.first_s, kept};
      if (pool_.disaggregated()) {
        see_first(each.request, each.first_s - request.at_s);
        decode(running);
      } else {
        prompts_.push_back({running, request.input});
      }
    }
  }

  void start_decoding(std::size_t finished) {
    for (std::size_t i = 0; i < finished; ++i) {
      Running running = prompts_[i].running;
      running.first_s = now_;
      see_first(running.request, now_ - requests_[running.request].at_s);
      decode(running);
    }
    prompts_.erase(prompts_.begin(), prompts_.begin() + static_cast<std::ptrdiff_t>(finished));
  }

  void see_first(std::size_t request, double seconds) {
    result_.first_tokens[request] = seconds;
    if (targets_ != nullptr && targets_->first_token_s > 0 && seconds > targets_->first_token_s)
      ++late_first_;
  }

  void decode(const Running& running) {
    const ServingRequest& request = requests_[running.request];
    const double more = std::floor(request.output - 1 + 1e-9);
    if (more < 1) {
      end(running, 0);
      return;
    }
    context_ += request.input;
    ends_.push({count_ + more, running});
  }

  void retire() {
    while (!ends_.empty() && ends_.top().pass <= count_ + 1e-9) {
      const Running running = ends_.top().running;
      ends_.pop();
      const ServingRequest& request = requests_[running.request];
      const double more = std::floor(request.output - 1 + 1e-9);
      context_ -= request.input + more;
      end(running, (now_ - running.first_s) / more);
    }
    if (ends_.empty()) context_ = 0;
  }

  void end(const Running& running, double per_token) {
    kept_ -= running.kept;
    result_.per_tokens[running.request] = per_token;
    if (targets_ != nullptr && targets_->per_token_s > 0 && per_token > targets_->per_token_s) ++late_tokens_;
    tokens_ += requests_[running.request].output;
    ++result_.requests;
  }

  void finish() {
    std::erase(result_.first_tokens, -1);
    std::erase(result_.per_tokens, -1);
    summarise(result_);
    if (requests_.empty()) return;
    const double span = now_ - requests_.front().at_s;
    if (span > 0) {
      result_.tokens_s = tokens_ / span;
      result_.busy = std::min(1.0, busy_s_ / span);
    }
    if (count_ > 0) result_.sequences = sequence_passes_ / count_;
    if (busy_s_ > 0) {
      result_.memory_use = memory_s_ / busy_s_;
      result_.arithmetic_use = arithmetic_s_ / busy_s_;
    }
  }

  const ServingPool& pool_;
  std::span<const ServingRequest> requests_;
  const ServingCalibration& calibration_;
  const LatencyTargets* targets_;
  const ServingEngine& engine_;
  std::vector<Ready> arrivals_;
  std::size_t next_ = 0;  // The first that was not admitted.
  std::vector<Prompt> prompts_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  double cache_ = 0;
  double most_ = 0;
  double chunk_ = 0;
  double kept_ = 0;
  double context_ = 0;  // Tokens of all decoding sequences.
  double now_ = 0;
  double count_ = 0;        // Passes so far.
  double admission_ = 0;    // The pass from which on requests may join,
  double held_until_ = -1;  // and from which on prompts wait no longer; below 0: none waits.
  double busy_s_ = 0;
  double sequence_passes_ = 0;
  double memory_s_ = 0;
  double arithmetic_s_ = 0;
  double tokens_ = 0;
  double late_first_ = 0;  // Requests later than a target.
  double late_tokens_ = 0;
  QueueResult result_;
};

}  // namespace

double ServingPool::gpus() const {
  return deployment.layout.gpus() + (disaggregated() ? prompt_replicas * prompt_deployment.layout.gpus() : 0);
}

double ServingPool::whole_prompt_replicas(double replicas) const {
  return disaggregated() ? std::max(1.0, std::ceil(replicas * prompt_replicas - 1e-9)) : 0;
}

double ServingPool::gpus_of(double replicas) const {
  return replicas * deployment.layout.gpus() +
         whole_prompt_replicas(replicas) * (disaggregated() ? prompt_deployment.layout.gpus() : 0);
}

QueueResult simulate_queue(const ServingPool& pool, std::span<const ServingRequest> requests,
                           const ServingCalibration& calibration) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    GW_CHECK(requests[i].input >= 1 && requests[i].output >= 1);
    GW_CHECK(i == 0 || requests[i].at_s >= requests[i - 1].at_s);
  }
  return Replica(pool, requests, calibration).run();
}

std::vector<ServingRequest> random_requests(double rate, double input, double output, double spread,
                                            std::size_t count, std::uint64_t seed, std::uint32_t sharers) {
  const Rng seeded(seed);
  Rng gaps = seeded.split("arrivals");
  Rng lengths = seeded.split("lengths");
  // A lognormal with mean 1 and that coefficient of variation.
  const double variance = stable_log(1 + spread * spread);
  const double sigma = std::sqrt(variance);
  const auto length = [&](double mean) {
    const double drawn = spread > 0 ? mean * lengths.lognormal(-variance / 2, sigma) : mean;
    return std::max(1.0, std::round(drawn));
  };
  std::vector<ServingRequest> requests(count);
  double at = 0;
  for (ServingRequest& each : requests) {
    for (std::uint32_t i = 0; i < sharers; ++i) at += gaps.exponential(1.0);
    each.at_s = at / (rate * sharers);
    each.input = length(input);
    each.output = length(output);
  }
  return requests;
}

double percentile_of(std::vector<double> values, double percentile) {
  if (values.empty()) return 0;
  const auto count = static_cast<double>(values.size());
  const double rank = std::clamp(std::ceil(percentile / 100 * count - 1e-9), 1.0, count);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank) - 1;
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

bool meets(const QueueResult& result, const LatencyTargets& targets) {
  if (result.requests == 0 || result.impossible > 0) return false;
  if (targets.first_token_s > 0 &&
      percentile_of(result.first_tokens, targets.percentile) > targets.first_token_s)
    return false;
  return targets.per_token_s <= 0 ||
         percentile_of(result.per_tokens, targets.percentile) <= targets.per_token_s;
}

std::vector<ServingRequest> sample_of(const RandomLoad& load) {
  return random_requests(1, load.input, load.output, load.spread, load.count, load.seed, load.sharers);
}

double steady_rate(const ServingPool& pool, const RandomLoad& requests,
                   const ServingCalibration& calibration) {
  const double input = requests.input;
  double sequences = most_sequences(pool.deployment, input, requests.output, requests.spread);
  if (sequences < 1) return 0;
  if (pool.sequences_max > 0) sequences = std::min(sequences, pool.sequences_max);
  ServingLoad load;
  load.input = input;
  load.output = requests.output;
  load.spread = requests.spread;
  load.sequences = sequences;
  load.prompts_here = !pool.disaggregated();
  const double decoded = steady_state(pool.deployment, load, calibration).requests_s;
  if (!pool.disaggregated()) return decoded;
  const double alone = prompt_seconds(pool.prompt_deployment, input, calibration);
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(pool.prompt_deployment.engine)];
  const double batch = std::max(1.0, std::floor(engine.pass_tokens(*pool.prompt_deployment.gpu) / input));
  const double together = prompt_seconds(pool.prompt_deployment, input * batch, calibration) / batch;
  return std::min(decoded, pool.prompt_replicas / std::min(alone, together));
}

bool keeps_targets(const ServingPool& pool, double rate, std::span<const ServingRequest> sample,
                   const LatencyTargets& targets, const ServingCalibration& calibration) {
  std::vector<ServingRequest> requests(sample.begin(), sample.end());
  for (ServingRequest& each : requests) each.at_s /= rate;
  return Replica(pool, requests, calibration, &targets).keeps();
}

double highest_rate(const ServingPool& pool, const RandomLoad& load, const LatencyTargets& targets,
                    const ServingCalibration& calibration) {
  const std::vector<ServingRequest> sample = sample_of(load);
  const auto keeps = [&](double rate) { return keeps_targets(pool, rate, sample, targets, calibration); };
  // Beyond the steady state's rate queues grow without end, whatever a finite run shows.
  const double most = steady_rate(pool, load, calibration);
  if (most <= 0) return 0;
  if (keeps(most)) return most;
  // Rates below a hundredth tell no more than that a lone request is too slow.
  if (!keeps(most / 100)) return 0;
  double low = most / 100;
  double high = most;
  for (int i = 0; i < 12; ++i) {
    const double middle = (low + high) / 2;
    (keeps(middle) ? low : high) = middle;
  }
  return low;
}

QueueResult simulate_replicas(const ServingPool& pool, std::span<const ServingRequest> requests,
                              std::uint32_t replicas, const ServingCalibration& calibration) {
  QueueResult all;
  // Of more replicas than requests the others never have one.
  const auto used = static_cast<std::uint32_t>(std::min<std::size_t>(replicas, requests.size()));
  for (std::uint32_t replica = 0; replica < used; ++replica) {
    std::vector<ServingRequest> part;
    for (std::size_t i = replica; i < requests.size(); i += replicas) part.push_back(requests[i]);
    QueueResult each = simulate_queue(pool, part, calibration);
    all.requests += each.requests;
    all.impossible += each.impossible;
    all.tokens_s += each.tokens_s;
    all.busy += each.busy / replicas;
    all.sequences += each.sequences / replicas;
    all.memory_use += each.memory_use / replicas;
    all.arithmetic_use += each.arithmetic_use / replicas;
    all.first_tokens.insert(all.first_tokens.end(), each.first_tokens.begin(), each.first_tokens.end());
    all.per_tokens.insert(all.per_tokens.end(), each.per_tokens.begin(), each.per_tokens.end());
  }
  summarise(all);
  return all;
}

std::uint32_t replicas_for(const ServingPool& pool, std::span<const ServingRequest> requests,
                           const LatencyTargets& targets, std::uint32_t most,
                           const ServingCalibration& calibration) {
  const auto keeps = [&](std::uint32_t replicas) {
    return meets(simulate_replicas(pool, requests, replicas, calibration), targets);
  };
  std::uint32_t enough = 1;
  while (!keeps(enough)) {
    if (enough >= most) return 0;
    enough = std::min(most, enough * 2);
  }
  std::uint32_t too_few = enough / 2;
  while (enough - too_few > 1) {
    const std::uint32_t middle = too_few + (enough - too_few) / 2;
    (keeps(middle) ? enough : too_few) = middle;
  }
  return enough;
}

}  // namespace gw::physics
