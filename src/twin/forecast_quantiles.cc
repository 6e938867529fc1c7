// Order statistics, and the spread of few members over like jobs.
#include "twin/forecast_quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace gw::twin {
namespace {

constexpr std::size_t kEnoughMembers = 9;

struct Sample {
  Instant when;
  bool known;  ///< False: at `when` at the earliest.
  auto operator<=>(const Sample&) const = default;
};

struct Quantile {
  Instant when;
  bool or_later;
};

/// Where a computed time enters the answer: rounded to whole nanoseconds once.
Nanoseconds scaled(Nanoseconds span, double factor) {
  return Nanoseconds{std::llround(static_cast<double>(span.count()) * factor)};
}

/// The p quantile of samples in ascending order, between the k-th and the next for k = p (M + 1).
Quantile quantile(const std::vector<Sample>& samples, double p) {
  const double at = p * static_cast<double>(samples.size() + 1);
  const auto low = static_cast<std::size_t>(std::clamp(at, 1.0, static_cast<double>(samples.size()))) - 1;
  const std::size_t high = std::min(low + 1, samples.size() - 1);
  const double part = std::clamp(at - 1 - static_cast<double>(low), 0.0, 1.0);
  Instant when = samples[low].when;
  if (part > 0 && samples[high].when != when) {
    when = samples[high].when == StartForecast::kNever ? StartForecast::kNever
                                                       : when + scaled(samples[high].when - when, part);
  }
  // Also if it lies before one that is not known, but was weighed with it.
  const bool or_later = (part > 0 && !samples[high].known) ||
                        std::any_of(samples.begin(), samples.end(), [&](const Sample& sample) {
                          return !sample.known && sample.when <= when;
                        });
  return {when, or_later};
}

/// The 0.9 quantile of Student's t by degrees of freedom (1 to 8), and of the normal distribution.
double t90(std::size_t degrees) {
  static constexpr double kT90[] = {3.0777, 1.8856, 1.6377, 1.5332, 1.4759, 1.4398, 1.4149, 1.3968};
  return kT90[std::min(degrees, std::size(kT90)) - 1];
}
constexpr double kNormal90 = 1.2816;

/// P90 of few members: over the mean, by the spread among jobs of like size and wait.
class LikeJobs {
 public:
  LikeJobs(const StartTable& table, std::vector<StartForecast>& answers)
      : table_(table), answers_(answers), answer_of_(table.jobs.size(), kNone), means_(table.jobs.size()) {
    for (std::uint32_t at = 0; at < table.asked.size(); ++at) answer_of_[table.asked[at]] = at;
    for (std::uint32_t job = 0; job < table.jobs.size(); ++job) {
      double sum = 0;
      bool reached = true;
      for (const StartTable::Member& member : table.members) {
        reached = reached && member.starts[job] != Instant::max();
        sum += to_double(member.starts[job] - table.now);
      }
      means_[job] = sum / static_cast<double>(table.members.size());
      if (reached && sum > 0) order_.push_back(job);
    }
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      if (size_class(a) != size_class(b)) return size_class(a) < size_class(b);
      return means_[a] != means_[b] ? means_[a] < means_[b] : a < b;
    });
  }

  void set_p90() {
    for (std::size_t first = 0; first < order_.size();) {
      std::size_t last = first;
      while (last < order_.size() && size_class(order_[last]) == size_class(order_[first])) ++last;
      set_p90(first, last);
      first = last;
    }
  }

 private:
  [[nodiscard]] int size_class(std::uint32_t job) const {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(table_.gpu_milli[job])));
  }
  static double to_double(Nanoseconds span) { return static_cast<double>(span.count()); }

  /// Of the jobs order_[first, last), all of one size. Sums over the neighbours come from running sums.
  void set_p90(std::size_t first, std::size_t last) {
    constexpr std::size_t kNeighbours = 100;  // On each side.
    const std::size_t members = table_.members.size();
    const std::size_t count = last - first;
    std::vector<double> sums((count + 1) * members);  // Of each member's relative deviations from the mean.
    std::vector<double> squares(count + 1);
    for (std::size_t at = 0; at < count; ++at) {
      const std::uint32_t job = order_[first + at];
      squares[at + 1] = squares[at];
      for (std::size_t member = 0; member < members; ++member) {
        const double wait = to_double(table_.members[member].starts[job] - table_.now);
        const double deviation = wait / means_[job] - 1;
        sums[(at + 1) * members + member] = sums[at * members + member] + deviation;
        squares[at + 1] += deviation * deviation;
      }
    }
    for (std::size_t at = 0; at < count; ++at) {
      const std::uint32_t wanted = answer_of_[order_[first + at]];
      if (wanted == kNone) continue;
      const std::size_t low = at - std::min(at, kNeighbours);
      const std::size_t high = std::min(count, at + kNeighbours + 1);
      const auto jobs = static_cast<double>(high - low);
      double common = 0;  // Sum of squares of what a member's neighbours deviate by together.
      for (std::size_t member = 0; member < members; ++member) {
        const double shift = (sums[high * members + member] - sums[low * members + member]) / jobs;
        common += shift * shift;
      }
      const double single = std::max(0.0, squares[high] - squares[low] - jobs * common);
      const auto degrees = static_cast<double>(members - 1);
      const double t = t90(members - 1);
      double variance = t * t * common / degrees;
      if (high - low > 1) variance += kNormal90 * kNormal90 * single / (degrees * (jobs - 1));
      const double factor = std::sqrt(variance * (1 + 1 / static_cast<double>(members)));
      StartForecast& answer = answers_[wanted];
      answer.p90 = answer.p50 + scaled(answer.p50 - table_.now, factor);
    }
  }

  const StartTable& table_;
  static constexpr std::uint32_t kNone = 0xffffffffU;
  std::vector<StartForecast>& answers_;
  std::vector<std::uint32_t> answer_of_;  ///< By job.
  std::vector<double> means_;             ///< Of the waits of each job, in nanoseconds.
  std::vector<std::uint32_t> order_;      ///< Those with a start in every member, by size and mean wait.
};

}  // namespace

std::vector<StartForecast> start_quantiles(const StartTable& table) {
  std::vector<StartForecast> answers(table.asked.size());
  std::vector<Sample> samples;
  for (std::size_t at = 0; at < table.asked.size(); ++at) {
    const std::uint32_t job = table.asked[at];
    StartForecast& answer = answers[at];
    answer.job = table.jobs[job];
    answer.members = static_cast<std::uint32_t>(table.members.size());
    samples.clear();
    for (const StartTable::Member& member : table.members) {
      const Instant start = member.starts[job];
      if (start != Instant::max()) {
        ++answer.reached;
        samples.push_back({start, true});
      } else if (member.stuck) {
        ++answer.stuck;
        samples.push_back({StartForecast::kNever, true});
      } else {
        samples.push_back({member.until, false});
      }
    }
    std::sort(samples.begin(), samples.end());
    const Quantile p50 = quantile(samples, 0.5);
    const Quantile p90 = quantile(samples, 0.9);
    answer.p50 = p50.when;
    answer.p50_or_later = p50.or_later;
    answer.p90 = p90.when;
    answer.p90_or_later = p90.or_later;
  }
  if (table.members.size() > 1 && table.members.size() < kEnoughMembers) LikeJobs(table, answers).set_p90();
  return answers;
}

}  // namespace gw::twin
