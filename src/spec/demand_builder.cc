// Turns tenants, classes, policy and faults of a file into the model's.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <deque>
#include <map>

#include "base/check.h"
#include "spec/demand_fields.h"
#include "spec/near_miss.h"
#include "spec/quota_builder.h"
#include "spec/record_reader.h"

namespace gw::spec {

std::uint32_t weekday_index(std::string_view weekday) {
  const auto at = std::find(std::begin(kWeekdays), std::end(kWeekdays), weekday);
  return at == std::end(kWeekdays) ? 0 : static_cast<std::uint32_t>(at - std::begin(kWeekdays));
}

// --- Classes ---

namespace {

/// The catalog's entries with the file's changes: a known name changes the known entry, a new one must be
/// complete.
template <class Spec>
std::vector<Spec> with_overrides(const std::vector<Spec>& known, const std::vector<Override<Spec>>& changes,
                                 std::string_view key, Findings& findings) {
  std::vector<Spec> all = known;
  RecordReader reader(findings);
  std::map<std::string, Mark> seen;
  for (const Override<Spec>& change : changes) {
    if (change.node == nullptr) continue;
    const YamlNode* name = change.node->find("name");
    const std::string text = name == nullptr ? std::string() : name->text;
    const auto [first, is_new] = seen.try_emplace(text, change.node->at);
    if (!is_new && !text.empty())
      findings.error(change.node->at,
                     fmt::format("\"{}\" stands in `{}` a second time, first in line {}; merge them", text,
                                 key, first->second.line));
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const Spec& entry) { return entry_name(entry) == text; });
    if (at != all.end()) {
      reader.read_record(key, *change.node, *at, true);
    } else {
      reader.read_record(key, *change.node, all.emplace_back());
    }
  }
  return all;
}

void convert_sizes(const JobClassSpec& spec, JobClass& job, Findings& findings) {
  double sum = 0;
  for (const Shares::Entry& entry : spec.sizes.entries) {
    std::uint32_t gpus = 0;
    const char* const end = entry.name.data() + entry.name.size();
    const auto [stop, error] = std::from_chars(entry.name.data(), end, gpus);
    if (error != std::errc() || stop != end || gpus == 0 || gpus > 10'000'000) {
      findings.error(entry.at,
                     fmt::format("size \"{}\" must be a number of GPUs from 1 to 10000000", entry.name));
      continue;
    }
    job.sizes.push_back({gpus, entry.share});
    sum += entry.share;
  }
  if (!job.sizes.empty() && sum <= 0)
    findings.error(spec.at,
                   fmt::format("all sizes of class \"{}\" have the share 0; give one a share", job.name));
}

/// What a class computes; models are found in the catalog.
void convert_work(const JobClassSpec& spec, const Catalog& catalog, JobClass& job, Findings& findings) {
  const bool has_amount = spec.work && (spec.work->tokens || spec.work->steps || spec.work->samples);
  if (spec.durations.empty() && !has_amount)
    findings.error(spec.at,
                   fmt::format("class \"{}\" has no durations; give it some, or `work` with `tokens`, "
                               "`steps` or `samples`",
                               job.name));
  if (!spec.work) return;
  const WorkSpec& from = *spec.work;
  WorkProfile& work = job.work;
  const auto kind = std::find(std::begin(kWorkKinds), std::end(kWorkKinds), from.kind);
  static_assert(static_cast<int>(WorkKind::kTraining) == 1 && static_cast<int>(WorkKind::kCfd) == 4);
  work.kind = kind == std::end(kWorkKinds) ? WorkKind::kTraining
                                           : static_cast<WorkKind>(1 + (kind - std::begin(kWorkKinds)));
  const bool trains = work.kind == WorkKind::kTraining;
  if (trains && from.model.value.empty()) {
    findings.error(from.at, fmt::format("class \"{}\": `work` trains no model; name one with `model`, or a "
                                        "`kind` without one",
                                        job.name));
  } else if (!trains && !from.model.value.empty()) {
    findings.error(
        from.model.at,
        fmt::format("class \"{}\": `work` of the kind {} has no `model`; leave it out", job.name, from.kind));
  } else if (trains && find_entry(catalog.models, from.model.value) == nullptr) {
    findings.error(
        from.model.at,
        fmt::format("unknown model \"{}\" of class \"{}\"{}", from.model.value, job.name,
                    suggestion(from.model.value, entry_names(catalog.models), "see `gw catalog models`")));
  }
  if (trains && from.samples)
    findings.error(
        from.at,
        fmt::format("class \"{}\": training is counted in `tokens` or `steps`, not in samples", job.name));
  if (!trains && (from.tokens || from.steps))
    findings.error(from.at, fmt::format("class \"{}\": work of the kind {} is counted in `samples`", job.name,
                                        from.kind));
  if (!trains && from.layout)
    findings.error(from.layout->at,
                   fmt::format("class \"{}\": only training has a `layout`; leave it out", job.name));
  work.model = from.model.value;
  work.precision = from.precision;
  work.sequence = from.sequence;
  work.batch = from.batch;
  work.per_gpu = from.per_gpu;
  work.cost = from.cost;
  work.parameters = from.parameters;
  if (from.tokens) work.amount = *from.tokens;
  if (from.steps) work.amount = *from.steps * from.batch * from.sequence;
  if (from.samples) work.amount = *from.samples;
  if (from.layout && from.layout->choose.empty()) {
    work.layout = {.best = false,
                   .tensor = from.layout->tensor,
                   .pipeline = from.layout->pipeline,
                   .context = from.layout->context,
                   .expert = from.layout->expert,
                   .micro_batch = from.layout->micro_batch,
                   .full_sharding = from.layout->sharding == "full",
                   .recompute = from.layout->recompute};
  }
}

bool any_positive(const std::vector<double>& weights) {
  return std::any_of(weights.begin(), weights.end(), [](double weight) { return weight > 0; });
}

}  // namespace

void build_classes(const ScenarioFile& file, const Catalog& catalog, WorkloadMix& mix, Findings& findings) {
  for (const RhythmSpec& spec : with_overrides(catalog.rhythms, file.rhythms, "rhythms", findings)) {
    if (!any_positive(spec.hour) || !any_positive(spec.weekday))
      findings.error(
          spec.at,
          fmt::format("rhythm \"{}\" lets no work arrive; give an hour and a weekday a weight", spec.name));
    mix.rhythms.push_back({spec.name, spec.hour, spec.weekday});
  }
  const auto even =
      std::find_if(mix.rhythms.begin(), mix.rhythms.end(), [](const Rhythm& r) { return r.name == "even"; });
  const auto even_index = static_cast<std::uint32_t>(even - mix.rhythms.begin());
  if (even == mix.rhythms.end()) mix.rhythms.emplace_back().name = "even";

  for (const JobClassSpec& spec : with_overrides(catalog.classes, file.classes, "classes", findings)) {
    JobClass job = spec.job_class;
    convert_sizes(spec, job, findings);
    convert_work(spec, catalog, job, findings);
    double share = 0;
    for (const DurationSpec& duration : spec.durations) {
      job.durations.push_back(duration.part);
      share += duration.part.share;
    }
    if (!job.durations.empty() && share <= 0)
      findings.error(
          spec.at, fmt::format("all durations of class \"{}\" have the share 0; give one a share", job.name));
    job.limit = spec.limit.model;
    job.cpu_milli_per_gpu = spec.cores_per_gpu * 1000;
    if (job.duration_min_s > job.duration_max_s)
      findings.error(spec.at, fmt::format("class \"{}\" has a duration_min above its duration_max; swap them",
                                          job.name));
    if (job.failed_share + job.cancelled_share > 1)
      findings.error(
          spec.at,
          fmt::format("class \"{}\": failed_share and cancelled_share add up to more than 1", job.name));
    if (job.limit.exact_share + job.limit.default_share > 1)
      findings.error(spec.at, fmt::format("class \"{}\": exact_share and default_share add up to more than 1",
                                          job.name));
    if (job.level_required && job.level.empty())
      findings.error(spec.at,
                     fmt::format("class \"{}\" has level_required but no level; name one", job.name));
    if (job.spread_required && job.spread.empty())
      findings.error(spec.at,
                     fmt::format("class \"{}\" has spread_required but no spread; name a level", job.name));
    if (!job.spread.empty() && (job.segment > 1 || (!job.exclusive.empty() && job.exclusive != "node")))
      findings.error(spec.at, fmt::format("class \"{}\" is spread and in blocks; choose one", job.name));
    if (job.segment > 1 && !job.exclusive.empty() && job.exclusive != "node")
      findings.error(
          spec.at, fmt::format("class \"{}\": `exclusive` makes blocks itself; leave segment out", job.name));
    job.rhythm = even_index;
    if (!spec.rhythm.value.empty()) {
      std::vector<std::string> names;
      for (const Rhythm& rhythm : mix.rhythms) names.push_back(rhythm.name);
      const auto at = std::find(names.begin(), names.end(), spec.rhythm.value);
      if (at == names.end()) {
        findings.error(spec.rhythm.at,
                       fmt::format("unknown rhythm \"{}\" of class \"{}\"{}", spec.rhythm.value, job.name,
                                   suggestion(spec.rhythm.value, names)));
      } else {
        job.rhythm = static_cast<std::uint32_t>(at - names.begin());
      }
    }
    mix.classes.push_back(std::move(job));
  }
}

void check_demand(const Fleet& fleet, const ScenarioFile& file, const WorkloadMix& mix, Findings& findings) {
  std::vector<bool> demanded(mix.classes.size());
  for (const TenantDemand& demand : mix.tenants) {
    for (const TenantDemand::ClassShare& share : demand.classes) {
      if (demand.load > 0 && share.share > 0) demanded[share.job_class] = true;
    }
  }
  const Mark at = file.tenants.empty() ? Mark{} : file.tenants.front().at;
  for (std::size_t index = 0; index < mix.classes.size(); ++index) {
    if (!demanded[index]) continue;
    const JobClass& job = mix.classes[index];
    const bool runs =
        job.gpu_types.empty() ||
        std::any_of(fleet.gpu_types.begin(), fleet.gpu_types.end(), [&](const GpuType& type) {
          return std::find(job.gpu_types.begin(), job.gpu_types.end(), type.name) != job.gpu_types.end();
        });
    if (!runs)
      findings.error(
          at, fmt::format("class \"{}\" is demanded but takes none of the fleet's GPU types; change its "
                          "gpu_types under `classes`",
                          job.name));
    for (const std::string& level : {job.exclusive, job.spread}) {
      if (level.empty() || level == "node" || fleet.fabric_level(level) >= 0) continue;
      findings.warning(at, fmt::format("class \"{}\" names the fabric level \"{}\", which the fleet does not "
                                       "have; its jobs do without",
                                       job.name, level));
    }
    if (job.level_required && job.level != "node" && fleet.fabric_level(job.level) < 0)
      findings.warning(
          at,
          fmt::format("class \"{}\" requires the fabric level \"{}\", which the fleet does not have; name "
                      "another under `classes`",
                      job.name, job.level));
  }
}

// --- Tenants ---

namespace {

class TenantBuilder {
 public:
  TenantBuilder(const Fleet& fleet, std::uint32_t max_tenants, TenantTree& tenants, WorkloadMix& mix,
                Findings& findings)
      : fleet_gpus_(static_cast<double>(fleet.gpus())),
        quotas_(fleet, tenants, findings),
        max_tenants_(max_tenants),
        tenants_(tenants),
        mix_(mix),
        findings_(findings) {
    for (std::size_t index = 0; index < mix.classes.size(); ++index)
      class_index_[mix.classes[index].name] = static_cast<std::uint32_t>(index);
  }

  void build(const std::vector<TenantSpec>& specs) {
    for (const TenantSpec& spec : specs) check_classes(spec);
    if (count_all(specs) > max_tenants_) {
      findings_.error(specs.front().at, fmt::format("more than {} tenants; lower a `count`", max_tenants_));
      return;
    }
    enqueue(specs, {TenantTree::root(), {}, {}, nullptr, nullptr}, std::nullopt);
    // Parents before children, level by level: the tree keeps its names sorted, and appending is cheap.
    while (!queue_.empty()) {
      const Pending pending = queue_.front();
      queue_.pop_front();
      add(pending);
    }
    quotas_.check_sums();
  }

 private:
  /// What children take over from their parent.
  struct Heritage {
    TenantId parent;
    std::string_view kind;
    std::string_view home;
    const std::vector<std::string>* ownership = nullptr;
    const Shares* classes = nullptr;
  };
  struct Pending {
    const TenantSpec* spec;
    Heritage heritage;
    std::optional<double> load;  ///< Of all `count` together; none: nothing said, here or above.
  };

  static double count_all(const std::vector<TenantSpec>& specs) {
    double count = 0;
    for (const TenantSpec& spec : specs) count += spec.count * (1 + count_all(spec.projects));
    return count;
  }

  void check_classes(const TenantSpec& spec) {
    double sum = 0;
    for (const Shares::Entry& entry : spec.classes.entries) {
      sum += entry.share;
      if (class_index_.contains(entry.name)) continue;
      std::vector<std::string> names;
      for (const JobClass& job : mix_.classes) names.push_back(job.name);
      findings_.error(entry.at, fmt::format("unknown job class \"{}\"{}", entry.name,
                                            suggestion(entry.name, names, "define it under `classes`")));
    }
    if (!spec.classes.entries.empty() && sum <= 0)
      findings_.error(spec.classes.entries.front().at, "all shares are 0; give one class a share");
    for (const TenantSpec& project : spec.projects) check_classes(project);
  }

  /// The load that `spec` or its projects state, of all `count` together.
  static std::optional<double> stated(const TenantSpec& spec) {
    if (spec.load) return spec.load;
    std::optional<double> sum;
    for (const TenantSpec& project : spec.projects) {
      if (const std::optional<double> load = stated(project)) sum = sum.value_or(0) + *load * spec.count;
    }
    return sum;
  }

  /// Shares `load` out among siblings: those that state a load get it, the others the rest by weight.
  void enqueue(const std::vector<TenantSpec>& specs, const Heritage& heritage, std::optional<double> load) {
    double given = 0;
    double open_weight = 0;
    for (const TenantSpec& spec : specs) {
      if (const std::optional<double> own = stated(spec)) {
        given += *own;
      } else {
        open_weight += static_cast<double>(spec.weight) * spec.count;
      }
    }
    constexpr double kTolerance = 1e-9;
    if (load && !specs.empty() &&
        (given > *load + kTolerance || (open_weight == 0 && given < *load - kTolerance)))
      findings_.error(specs.front().at,
                      fmt::format("the loads of these projects add up to {:.6g}, their parent's is {:.6g}; "
                                  "make them equal or leave one out",
                                  given, *load));
    for (const TenantSpec& spec : specs) {
      std::optional<double> own = stated(spec);
      if (!own && load)
        own = std::max(0.0, *load - given) * static_cast<double>(spec.weight) * spec.count / open_weight;
      queue_.push_back({&spec, heritage, own});
    }
  }

  void add(const Pending& pending) {
    const TenantSpec& spec = *pending.spec;
    Heritage heritage = pending.heritage;
    if (!spec.kind.empty()) heritage.kind = spec.kind;
    if (!spec.home.empty()) heritage.home = spec.home;
    if (!spec.ownership.empty()) heritage.ownership = &spec.ownership;
    if (spec.classes.written) heritage.classes = &spec.classes;
    const TenantId parent = heritage.parent;
    std::optional<double> each = pending.load;
    if (each) *each /= spec.count;
    int width = 1;
    for (std::uint32_t rest = spec.count; rest >= 10; rest /= 10) ++width;
    for (std::uint32_t index = 0; index < spec.count; ++index) {
      const std::string name =
          spec.count == 1 ? spec.name : fmt::format("{}-{:0{}}", spec.name, index + 1, width);
      if (tenants_.find_child(parent, name).valid()) {
        findings_.error(spec.at, fmt::format("tenant \"{}\" stands here a second time; rename one", name));
        return;
      }
      heritage.parent =
          tenants_.add(parent, name, spec.weight, std::string(heritage.kind), std::string(heritage.home),
                       heritage.ownership == nullptr ? std::vector<std::string>() : *heritage.ownership);
      quotas_.add(spec, heritage.parent);
      if (!spec.projects.empty()) {
        enqueue(spec.projects, heritage, each);
      } else if (each.value_or(0) > 0 && !add_demand(spec, heritage, *each)) {
        return;
      }
    }
  }

  bool add_demand(const TenantSpec& spec, const Heritage& heritage, double load) {
    if (heritage.classes == nullptr) {
      findings_.error(spec.at,
                      fmt::format("tenant \"{}\" has a load but no classes; write for example "
                                  "`classes: {{{}: 1}}`",
                                  spec.name, mix_.classes.empty() ? "inference" : mix_.classes.front().name));
      return false;
    }
    TenantDemand demand;
    demand.tenant = heritage.parent;
    demand.load = load * fleet_gpus_;
    double sum = 0;
    for (const Shares::Entry& entry : heritage.classes->entries) sum += entry.share;
    for (const Shares::Entry& entry : heritage.classes->entries) {
      const auto at = class_index_.find(entry.name);
      if (at != class_index_.end() && entry.share > 0)
        demand.classes.push_back({at->second, entry.share / sum});
    }
    mix_.tenants.push_back(std::move(demand));
    return true;
  }

  double fleet_gpus_;
  QuotaBuilder quotas_;
  std::uint32_t max_tenants_;
  TenantTree& tenants_;
  WorkloadMix& mix_;
  Findings& findings_;
  std::map<std::string, std::uint32_t, std::less<>> class_index_;
  std::deque<Pending> queue_;
};

}  // namespace

void build_tenants(const ScenarioFile& file, const Fleet& fleet, std::uint32_t max_tenants,
                   TenantTree& tenants, WorkloadMix& mix, Findings& findings) {
  const auto fleet_gpus = static_cast<double>(fleet.gpus());
  TenantBuilder(fleet, max_tenants, tenants, mix, findings).build(file.tenants);
  if (!file.workload.load) return;
  double sum = 0;
  for (const TenantDemand& demand : mix.tenants) sum += demand.load;
  if (sum <= 0) {
    if (!findings.failed())
      findings.error(file.workload.at,
                     "`load` has nothing to scale: no tenant has a load; give one `load` and `classes`");
    return;
  }
  for (TenantDemand& demand : mix.tenants) demand.load *= *file.workload.load * fleet_gpus / sum;
}

// --- Policy and faults ---

namespace {

template <class Kind, std::size_t N>
void choose(Kind& out, const std::optional<std::string>& text, const std::string_view (&names)[N]) {
  if (!text) return;
  const auto at = std::find(std::begin(names), std::end(names), *text);
  if (at != std::end(names)) out = static_cast<Kind>(at - std::begin(names));
}

}  // namespace

PolicyConfig build_policy(const PolicySpec& spec, Findings& findings) {
  static_assert(static_cast<int>(OrderKind::kFairShare) == 3 &&
                static_cast<int>(BackfillKind::kConservative) == 2 &&
                static_cast<int>(PlacementKind::kSmallestSpan) == 1);
  const std::optional<PolicyConfig> named = policy_by_name(spec.name);
  if (!named) {
    findings.error(spec.at, fmt::format("unknown policy \"{}\"", spec.name));
    return {};
  }
  PolicyConfig policy = *named;
  choose(policy.order, spec.order, kOrders);
  choose(policy.backfill, spec.backfill, kBackfills);
  choose(policy.placement, spec.placement, kPlacements);
  policy.half_life = spec.half_life.value_or(policy.half_life);
  policy.commitment = spec.commitment.value_or(policy.commitment);
  policy.charge_interval = spec.charge_interval.value_or(policy.charge_interval);
  policy.age_per_priority = spec.age_per_priority.value_or(policy.age_per_priority);
  policy.patience = spec.patience.value_or(policy.patience);
  choose(policy.preemption, spec.preemption, kPreemptions);
  choose(policy.reclaim_to, spec.reclaim_to, kReclaimTargets);
  policy.protected_run_time = spec.protected_run_time.value_or(policy.protected_run_time);
  policy.grace = spec.grace.value_or(policy.grace);
  policy.restart_estimate = spec.restart_estimate.value_or(policy.restart_estimate);
  policy.shrink_for_waiting = spec.shrink_for_waiting.value_or(policy.shrink_for_waiting);
  policy.resize_interval = spec.resize_interval.value_or(policy.resize_interval);
  return policy;
}

FaultSpec build_faults(const std::optional<FaultsSpec>& spec) {
  FaultSpec faults;
  if (!spec) return faults;
  faults.node_failures_per_1000_node_days = spec->node_failures_per_1000_node_days;
  faults.repair_median_s = spec->repair.median_s;
  faults.repair_sigma = spec->repair.sigma;
  faults.restart_time = spec->restart;
  faults.by_component = spec->rates == "by-component";
  return faults;
}

}  // namespace gw::spec
