// Tenants, GPU types, fingerprint and rejections of the jobs that go into the twin.
#include "cli/job_tap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace gw {

// --- Tenants ---

TenantId TenantPlacer::map_known(TenantId known) {
  if (known == TenantTree::root()) return known;
  if (const auto at = of_known_.find(known); at != of_known_.end()) return at->second;
  const Tenant& tenant = known_[known];
  const TenantId own = tree_.add(map_known(tenant.parent), tenant.name, tenant.weight, tenant.kind,
                                 tenant.home, tenant.owners);
  of_known_.emplace(known, own);
  known_of_.resize(own.value() + 1);
  known_of_[own.value()] = known;
  return own;
}

TenantId TenantPlacer::only_one_named(const std::string& name) {
  if (by_name_.empty()) {
    for (std::uint32_t index = 1; index < known_.size(); ++index)
      by_name_[known_[TenantId{index}].name].push_back(TenantId{index});
  }
  const auto at = by_name_.find(name);
  return at != by_name_.end() && at->second.size() == 1 ? at->second.front() : TenantId{};
}

void TenantPlacer::update(const TenantTree& log) {
  for (auto index = static_cast<std::uint32_t>(placed_.size()); index < log.size(); ++index) {
    const Tenant& tenant = log[TenantId{index}];
    const TenantId parent = placed_[tenant.parent.value()];
    const TenantId known_parent = known_of_[parent.value()];
    TenantId known = known_parent.valid() ? known_.find_child(known_parent, tenant.name) : TenantId{};
    const bool parent_is_known = known_parent.valid() && known_parent != TenantTree::root();
    if (!known.valid() && !parent_is_known) known = only_one_named(tenant.name);
    if (known.valid()) {
      ++matched_;
      placed_.push_back(map_known(known));
      continue;
    }
    ++(parent_is_known ? below_ : own_);
    placed_.push_back(tree_.child(parent, tenant.name));
    if (known_of_.size() < tree_.size()) known_of_.resize(tree_.size());
  }
}

std::string TenantPlacer::note(std::string_view file) const {
  const std::uint64_t all = matched_ + below_ + own_;
  std::string text = fmt::format("{} of the log's {} tenants {} place and weight from {}", matched_, all,
                                 matched_ == 1 ? "has its" : "have their", file);
  if (below_ > 0) text += fmt::format("; {} below those weigh 1", below_);
  if (own_ > 0) text += fmt::format("; {} that it does not name weigh 1", own_);
  return text + ".";
}

// --- The stream ---

JobTap::JobTap(workload::JobStream& source, const Fleet& fleet, JobTapOptions options,
               runtime::Store* journal)
    : source_(source), fleet_(fleet), options_(std::move(options)), journal_(journal) {
  if (options_.tenants != nullptr) placer_.emplace(*options_.tenants);
  nodes_by_type_.resize(fleet.node_types.size());
  for (const std::uint16_t type : fleet.node_type_of) ++nodes_by_type_[type];
}

const TenantTree& JobTap::tenants() const { return placer_ ? placer_->tree() : source_.tenants(); }

Result<bool> JobTap::next(TraceJob& job) {
  Result<bool> more = source_.next(job);
  if (!more || !*more) return more;
  ++jobs_;
  hash(job);
  if (placer_) {
    placer_->update(source_.tenants());
    job.request.tenant = placer_->placed(job.request.tenant);
  }
  map_gpu_types(job.request.shape);
  delivered_.push_back({job.id, job.request.shape});
  return more;
}

void JobTap::map_gpu_types(Shape& shape) {
  const std::vector<std::string>& names = source_.gpu_types();
  for (std::size_t index = gpu_types_.size(); index < names.size(); ++index) {
    const auto at = options_.gpu_types.find(names[index]);
    gpu_types_.push_back(at == options_.gpu_types.end() ? names[index] : at->second);
    if (at != options_.gpu_types.end() && at->second == kAnyGpuType && index < 64)
      any_types_ |= std::uint64_t{1} << index;
  }
  if ((shape.gpu_types & any_types_) != 0) shape.gpu_types = 0;
}

void JobTap::hash(const TraceJob& job) {
  // FNV-1a, with the size in GPUs: fleets and readers shape one job differently, it is still the same.
  constexpr std::uint64_t kPrime = 1099511628211ULL;
  const auto byte = [this](std::uint64_t value) { hash_ = (hash_ ^ (value & 0xffU)) * kPrime; };
  const auto number = [&](std::int64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint64_t>(value) >> shift);
  };
  for (const char c : job.id) byte(static_cast<unsigned char>(c));
  byte(0);
  number((job.request.submit - Instant{}).count());
  number(job.request.shape.total_gpu_milli());
  number(job.truth.run_time.count());
}

std::vector<std::string> JobTap::unused_gpu_types() const {
  const std::vector<std::string>& names = source_.gpu_types();
  std::vector<std::string> unused;
  for (const auto& [from, to] : options_.gpu_types) {
    if (std::find(names.begin(), names.end(), from) == names.end()) unused.push_back(from);
  }
  return unused;
}

std::string JobTap::tenants_note(std::string_view file) const { return placer_ ? placer_->note(file) : ""; }

// --- The store ---

Result<void> JobTap::append_events(Instant now, const std::vector<sched::Event>& events) {
  for (const sched::Event& event : events) {
    if (event.kind == sched::EventKind::kJobSubmitted) submitted_ = event.job.value() + 1;
  }
  return journal_ == nullptr ? Result<void>{} : journal_->append_events(now, events);
}

Result<void> JobTap::append_plan(Instant now, const sched::Plan& plan) {
  for (const sched::Plan::Rejection& rejection : plan.rejections) {
    // A job is rejected by the first plan after its submission.
    const std::uint32_t place = rejection.job.value() - first_;
    if (rejection.job.value() >= first_ && place < delivered_.size())
      reject(delivered_[place], rejection.reason);
  }
  for (; first_ < submitted_ && !delivered_.empty(); ++first_) delivered_.pop_front();
  return journal_ == nullptr ? Result<void>{} : journal_->append_plan(now, plan);
}

Result<void> JobTap::append_snapshot(Instant now, std::string_view snapshot) {
  return journal_ == nullptr ? Result<void>{} : journal_->append_snapshot(now, snapshot);
}

// --- Rejections ---

namespace {

enum class Lack { kType, kGpus, kGpusOnNode, kNodes, kSide, kLevel, kOther, kRule };

std::string key_of(Lack lack, std::string_view name = {}) {
  return fmt::format("{}:{}", static_cast<int>(lack), name);
}

}  // namespace

JobTap::Group JobTap::group_of(const Shape& shape) const {
  std::vector<std::string> wanted_types;
  for (std::size_t index = 0; index < gpu_types_.size() && index < 64; ++index) {
    if ((shape.gpu_types >> index) & 1U) wanted_types.push_back(gpu_types_[index]);
  }
  const auto type_will_do = [&](const NodeType& type) {
    if (wanted_types.empty() || fleet_.gpu_types.empty()) return true;
    return type.gpu_type != NodeType::kNoGpu &&
           std::find(wanted_types.begin(), wanted_types.end(), fleet_.gpu_types[type.gpu_type].name) !=
               wanted_types.end();
  };
  const bool gpus_asked = shape.gpus > 0 || shape.gpu_milli > 0;
  const std::uint64_t per_node = shape.gpu_milli > 0 ? 1 : shape.gpus;
  bool type_there = false;
  std::uint64_t most_gpus = 0;
  std::uint64_t largest_node = 0;
  std::uint64_t most_nodes = 0;
  bool side_fits = false;
  for (std::size_t index = 0; index < fleet_.node_types.size(); ++index) {
    const NodeType& type = fleet_.node_types[index];
    const std::uint64_t nodes = nodes_by_type_[index];
    if (nodes == 0 || !type_will_do(type)) continue;
    type_there = true;
    most_gpus = std::max(most_gpus, nodes * type.gpus);
    largest_node = std::max<std::uint64_t>(largest_node, type.gpus);
    if (shape.nodes > 0 && type.gpus < per_node) continue;
    most_nodes = std::max(most_nodes, nodes);
    const auto times = static_cast<std::int64_t>(shape.nodes == 0 ? nodes : 1);
    side_fits = side_fits || ((type.cpu_milli == 0 || shape.cpu_milli <= type.cpu_milli * times) &&
                              (type.memory_mib == 0 || shape.memory_mib <= type.memory_mib * times));
  }
  Group group;
  if (!type_there && !wanted_types.empty()) {
    group.told.gpu_types = wanted_types;
    group.key = key_of(Lack::kType, fmt::format("{}", fmt::join(wanted_types, "\n")));
  } else if (shape.nodes == 0 && gpus_asked && shape.gpus > most_gpus) {
    group = {{}, key_of(Lack::kGpus), shape.gpus, most_gpus};
  } else if (shape.nodes > 0 && gpus_asked && per_node > largest_node) {
    group = {{}, key_of(Lack::kGpusOnNode), per_node, largest_node};
  } else if (shape.nodes > 0 && shape.nodes > most_nodes) {
    group = {{}, key_of(Lack::kNodes, fmt::format("{}", per_node)), shape.nodes, most_nodes};
  } else if (!side_fits) {
    group.key = key_of(Lack::kSide);
  } else if (shape.level_required) {
    const bool known = shape.level < fleet_.fabric.size();
    group = {{}, key_of(Lack::kLevel, known ? fleet_.fabric[shape.level].level : "node"), shape.nodes, 0};
  } else {
    group.key = key_of(Lack::kOther);
  }
  return group;
}

void JobTap::reject(const Waiting& job, sched::Reason reason) {
  Group found = group_of(job.shape);
  if (reason == sched::Reason::kRule) {
    found = {};
    found.key = key_of(Lack::kRule);
  }
  const auto at = std::find_if(rejected_.begin(), rejected_.end(),
                               [&](const Group& group) { return group.key == found.key; });
  if (at != rejected_.end()) {
    ++at->told.jobs;
    at->wanted = std::max(at->wanted, found.wanted);
    at->there = std::max(at->there, found.there);
    return;
  }
  found.told.jobs = 1;
  found.told.example = job.id;
  rejected_.push_back(std::move(found));
}

void JobTap::fill(report::RunFacts& facts) const {
  constexpr std::size_t kMost = 20;
  facts.jobs = jobs_;
  facts.fingerprint = fmt::format("{:016x}", hash_);
  facts.rows = source_.counts();
  std::vector<Group> groups = rejected_;
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.told.jobs > b.told.jobs; });
  for (std::size_t index = 0; index < groups.size(); ++index) {
    Group& group = groups[index];
    if (index >= kMost) {
      report::RejectedGroup& rest = index == kMost ? facts.rejected.emplace_back() : facts.rejected.back();
      rest.why = "for other reasons";
      rest.jobs += group.told.jobs;
      if (rest.example.empty()) rest.example = group.told.example;
      continue;
    }
    const std::string detail = group.key.substr(group.key.find(':') + 1);
    const char* up_to = group.told.jobs > 1 ? "up to " : "";
    switch (static_cast<Lack>(group.key.front() - '0')) {
      case Lack::kType:
        group.told.why = fmt::format("of GPU type {}, which the fleet does not have",
                                     fmt::join(group.told.gpu_types, " or "));
        break;
      case Lack::kGpus:
        group.told.why = fmt::format("of {}{} GPUs, where one kind of node has {} in all", up_to,
                                     group.wanted, group.there);
        break;
      case Lack::kGpusOnNode:
        group.told.why = fmt::format("of {}{} GPUs on one node, where the largest has {}", up_to,
                                     group.wanted, group.there);
        break;
      case Lack::kNodes:
        group.told.why = detail == "0" ? fmt::format("of {}{} nodes, where one kind has {}", up_to,
                                                     group.wanted, group.there)
                                       : fmt::format("of {}{} nodes with {} GPUs each, where one kind has {}",
                                                     up_to, group.wanted, detail, group.there);
        break;
      case Lack::kSide:
        group.told.why = "with more cores or memory on a node than any that fits has";
        break;
      case Lack::kLevel:
        group.told.why =
            fmt::format("of {}{} nodes inside one {}, which none holds", up_to, group.wanted, detail);
        break;
      case Lack::kRule:
        group.told.why = "to which the rules leave no place (--decisions FILE says which)";
        break;
      case Lack::kOther:
        group.told.why = "that no empty part of the fleet could hold";
        break;
    }
    facts.rejected.push_back(std::move(group.told));
  }
}

}  // namespace gw
