// Merges one renewal source per tenant and class by time; see generator.h.
#include "workload/generator.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "workload/generator_class.h"
#include "workload/generator_rhythm.h"

namespace gw::workload {
namespace {

/// One tenant's submissions of one class.
struct Source {
  Rng rng;
  std::int64_t next_s = 0;   ///< When the current burst is submitted.
  double operational_h = 0;  ///< Its place in evenly flowing time.
  double mean_gap_h = 0;     ///< Between bursts, in evenly flowing time.
  Burst burst;
  TenantId tenant;
  std::uint8_t job_class = 0;
};

class Generator final : public JobStream {
 public:
  Generator(const WorkloadMix& mix, const Fleet& fleet, const TenantTree& tenants, std::uint64_t seed)
      : tenants_(tenants), end_s_(mix.duration.count() / kNanosecondsPerSecond) {
    for (const GpuType& type : fleet.gpu_types) gpu_types_.push_back(type.name);
    for (const JobClass& job_class : mix.classes) classes_.push_back(job_class.name);
    if (classes_.empty()) classes_.emplace_back("job");
    GW_CHECK(classes_.size() <= 256);
    prepare(mix, fleet, seed);
  }

  Result<bool> next(TraceJob& job) override {
    if (problem_) return std::unexpected(*problem_);
    if (heap_.empty()) return false;
    Source& source = sources_[heap_.front().second];
    job.id.clear();
    fmt::format_to(std::back_inserter(job.id), "{}", ++counts_.rows);
    counts_.accepted = counts_.rows;
    laws_[source.job_class]->draw_task(source.burst, source.rng, job);
    job.request.tenant = source.tenant;
    job.request.submit = Instant{source.next_s * kNanosecondsPerSecond};
    job.request.deadline = laws_[source.job_class]->deadline_of(job.request);
    job.job_class = source.job_class;
    if (source.burst.left == 0) replace_front(start_burst(source));
    return true;
  }

  [[nodiscard]] const TenantTree& tenants() const override { return tenants_; }
  [[nodiscard]] const std::vector<std::string>& gpu_types() const override { return gpu_types_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] const RowCounts& counts() const override { return counts_; }

 private:
  using Due = std::pair<std::int64_t, std::uint32_t>;  ///< Submit second and source; ties by source.

  /// Sums each tenant's demand by class, so that one source stands for each pair.
  static std::map<std::pair<std::uint32_t, std::uint32_t>, double> loads(const WorkloadMix& mix) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, double> sums;
    for (const TenantDemand& demand : mix.tenants) {
      double total = 0;
      for (const TenantDemand::ClassShare& share : demand.classes) total += share.share;
      if (total <= 0 || demand.load <= 0) continue;
      for (const TenantDemand::ClassShare& share : demand.classes) {
        GW_CHECK(share.job_class < mix.classes.size());
        sums[{demand.tenant.value(), share.job_class}] += demand.load * share.share / total;
      }
    }
    return sums;
  }

  void prepare(const WorkloadMix& mix, const Fleet& fleet, std::uint64_t seed) {
    const Rng root = Rng{seed}.split("generator");
    laws_.resize(mix.classes.size());
    for (const Rhythm& rhythm : mix.rhythms) clocks_.emplace_back(rhythm, mix.start_weekday, mix.start_hour);
    clocks_.emplace_back(Rhythm{}, mix.start_weekday, mix.start_hour);  // For classes without one.
    for (const auto& [key, load] : loads(mix)) {
      if (load <= 0) continue;
      const auto [tenant, class_index] = key;
      const JobClass& job_class = mix.classes[class_index];
      if (!laws_[class_index]) {
        Result<ClassLaw> law = ClassLaw::make(job_class, fleet);
        if (!law) {
          problem_ = law.error();
          return;
        }
        laws_[class_index] = std::move(*law);
      }
      const ClassLaw& law = *laws_[class_index];
      Source source{.rng = root.split(tenants_.path(TenantId{tenant})).split(job_class.name),
                    .burst = {},
                    .tenant = TenantId{tenant},
                    .job_class = static_cast<std::uint8_t>(class_index)};
      source.mean_gap_h = law.mean_gpu_seconds() * law.burst_mean() / load / 3600;
      clock_of_.push_back(job_class.rhythm < mix.rhythms.size()
                              ? job_class.rhythm
                              : static_cast<std::uint32_t>(mix.rhythms.size()));
      sources_.push_back(source);
    }
    for (std::uint32_t index = 0; index < sources_.size(); ++index) {
      const std::int64_t due = start_burst(sources_[index]);
      if (due >= end_s_) continue;
      heap_.emplace_back(due, index);
      for (std::size_t child = heap_.size() - 1; child > 0 && heap_[child] < heap_[(child - 1) / 2];
           child = (child - 1) / 2)
        std::swap(heap_[child], heap_[(child - 1) / 2]);
    }
  }

  /// Draws the source's next burst; the second of its submission.
  std::int64_t start_burst(Source& source) {
    const auto index = static_cast<std::size_t>(&source - sources_.data());
    source.operational_h += source.rng.exponential(source.mean_gap_h);
    const double at_s = clocks_[clock_of_[index]].hours_at(source.operational_h) * 3600;
    if (at_s >= static_cast<double>(end_s_)) return source.next_s = std::numeric_limits<std::int64_t>::max();
    source.next_s = static_cast<std::int64_t>(at_s);
    source.burst = laws_[source.job_class]->draw_burst(source.rng);
    return source.next_s;
  }

  /// Moves the front source to its new time, or out of the heap when its time is past the end.
  void replace_front(std::int64_t due) {
    if (due < end_s_) {
      heap_.front().first = due;
    } else {
      heap_.front() = heap_.back();
      heap_.pop_back();
      if (heap_.empty()) return;
    }
    const Due moving = heap_.front();
    std::size_t at = 0;
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
      if (!(heap_[child] < moving)) break;
      heap_[at] = heap_[child];
      at = child;
    }
    heap_[at] = moving;
  }

  TenantTree tenants_;
  std::vector<std::string> gpu_types_;
  std::vector<std::string> classes_;
  RowCounts counts_;
  std::optional<Error> problem_;
  std::int64_t end_s_;
  std::vector<std::optional<ClassLaw>> laws_;  ///< By class; empty where no tenant submits it.
  std::vector<ArrivalClock> clocks_;
  std::vector<Source> sources_;
  std::vector<std::uint32_t> clock_of_;  ///< By source.
  std::vector<Due> heap_;                ///< Binary, the earliest first.
};

}  // namespace

std::unique_ptr<JobStream> make_generator(const WorkloadMix& mix, const Fleet& fleet,
                                          const TenantTree& tenants, std::uint64_t seed) {
  return std::make_unique<Generator>(mix, fleet, tenants, seed);
}

}  // namespace gw::workload
