// Look-ups of the book.
#include "live/book.h"

#include "base/check.h"

namespace gw::live {

const LiveJob* Book::job(std::uint64_t number) const {
  const auto at = jobs.find(number);
  return at == jobs.end() ? nullptr : &at->second;
}

LiveJob* Book::job(std::uint64_t number) {
  const auto at = jobs.find(number);
  return at == jobs.end() ? nullptr : &at->second;
}

const LiveJob* Book::entry(std::uint64_t number) const {
  auto at = jobs.upper_bound(number);
  if (at == jobs.begin()) return nullptr;
  --at;
  return number < at->first + at->second.record.stands_for ? &at->second : nullptr;
}

bool Book::in_line(const LiveJob& job) const {
  return job.in_line && arrays.at(job.record.array_job).most_running == 0;
}

const LiveJob* Book::task(std::uint64_t array_job, std::uint32_t index) const {
  const auto array = arrays.find(array_job);
  if (array == arrays.end()) return nullptr;
  const std::optional<std::uint32_t> position = array->second.indices.position_of(index);
  return position ? entry(array_job + *position) : nullptr;
}

LiveJob* Book::job_of(JobId core_id) {
  const auto at = by_core.find(core_id.value());
  return at == by_core.end() ? nullptr : job(at->second);
}

Instant Book::instant_of_second(std::int64_t unix_s) const {
  __extension__ using Wide = __int128;
  const Wide instant = Wide{unix_s} * kNanosecondsPerSecond - origin_unix_ns;
  return Instant{static_cast<std::int64_t>(std::clamp<Wide>(instant, INT64_MIN, Instant::max().count()))};
}

TenantId Book::tenant(std::string_view path) const {
  if (path.empty()) return TenantTree::root();
  const auto at = tenant_ids_.find(path);
  return at == tenant_ids_.end() ? TenantId{} : at->second;
}

bool Book::may_name(TenantId to, TenantId whose) const {
  const auto first_level = [this](TenantId id) {
    while (id != TenantTree::root() && tenants[id.value()].record.parent != TenantTree::root())
      id = tenants[id.value()].record.parent;
    return id;
  };
  return first_level(to) == first_level(whose);
}

bool Book::is_within(TenantId id, TenantId top) const {
  for (; id.valid(); id = tenants[id.value()].record.parent) {
    if (id == top) return true;
  }
  return false;
}

std::uint64_t Book::identity_of(const AttemptRecord& attempt) const {
  if (lineage == 0) return 0;
  // The moment of the decision tells apart what is decided again after a store went back.
  // The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
  std::uint64_t bits = lineage ^ (static_cast<std::uint64_t>(attempt.decided.count()) * 0x9e3779b97f4a7c15);
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return std::max<std::uint64_t>(1, (bits ^ (bits >> 31)) >> 1);
}

std::uint64_t Book::identity_of_running(AttemptId id) const {
  const LiveJob* live = job(id.job);
  return live != nullptr && live->attempt && live->attempt->id == id ? identity_of(*live->attempt) : 0;
}

TenantId Book::add_tenant(const TenantRecord& record) {
  GW_CHECK(record.id.value() == tenants.size());
  LiveTenant tenant;
  tenant.record = record;
  if (record.id != TenantTree::root()) {
    const std::string& above = tenants[record.parent.value()].path;
    tenant.path = above.empty() ? record.name : above + '/' + record.name;
    tenant_ids_.emplace(tenant.path, record.id);
  }
  tenants.push_back(std::move(tenant));
  return record.id;
}

const std::string& Book::unix_user(TenantId id) const {
  for (TenantId at = id; at.valid(); at = tenants[at.value()].record.parent) {
    if (!tenants[at.value()].record.unix_user.empty()) return tenants[at.value()].record.unix_user;
  }
  return tenants[0].record.unix_user;
}

std::string Book::price_plan(TenantId id) const {
  for (TenantId at = id; at.valid(); at = tenants[at.value()].record.parent) {
    if (!tenants[at.value()].record.price_plan.empty()) return tenants[at.value()].record.price_plan;
  }
  return "default";
}

QuotaTerms Book::quota(TenantId id, std::string_view gpu_type) const {
  for (const QuotaRecord& quota : tenants[id.value()].record.quotas) {
    if (quota.gpu_type == gpu_type) return quota.terms;
  }
  return {};
}

std::int64_t Book::gpus_milli(QuotaResource resource) const {
  std::int64_t milli = 0;
  for (const auto& pool : core->state().pools) {
    const std::int64_t gpus = std::int64_t{pool->nodes()} * pool->gpus_per_node();
    const std::uint32_t type = pool->gpu_type();
    if (resource == kAllGpus) {
      milli += gpus * (type == NodeType::kNoGpu ? 1000 : fleet.gpu_types[type].equivalent_milli);
    } else if (type + 1 == resource) {
      milli += gpus * 1000;
    }
  }
  return milli;
}

NodeId Book::node(std::string_view name) const {
  const auto at = node_ids_.find(name);
  return at == node_ids_.end() ? NodeId{} : at->second;
}

void Book::index_fleet() {
  shared_fleet_ = std::make_shared<const Fleet>(fleet);
  node_names_.clear();
  node_ids_.clear();
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    node_names_.push_back(fleet.node_name(NodeId{node}));
    node_ids_.emplace(node_names_.back(), NodeId{node});
  }
}

TenantFacts Book::legal_facts(TenantId id) const {
  TenantFacts facts;
  facts.path = path(id);
  for (TenantId at = id; at.valid(); at = tenants[at.value()].record.parent) {
    const TenantRecord& tenant = tenants[at.value()].record;
    if (facts.home.empty()) facts.home = tenant.home;
    if (facts.owners.empty()) facts.owners = tenant.owners;
    if (facts.kind.empty()) facts.kind = tenant.kind;
  }
  return facts;
}

}  // namespace gw::live
