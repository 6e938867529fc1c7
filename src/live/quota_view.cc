// What a book says of tenants, divided as the core would.
#include "live/quota_view.h"

#include <algorithm>

#include "sched/deserved.h"

namespace gw::live {
namespace {

class View {
 public:
  View(const Book& book, QuotaResource resource) : book_(book), resource_(resource) {
    standings_.resize(book.tenants.size());
    children_.resize(book.tenants.size());
    const sched::QuotaTree& quota = book.core->state().quota;
    for (std::uint32_t index = 0; index < standings_.size(); ++index) {
      const TenantId id{index};
      QuotaStanding& standing = standings_[index];
      const LiveTenant& tenant = book.tenants[index];
      standing.tenant = id;
      standing.terms = quota.terms(id, resource);
      if (resource == kAllGpus) {
        standing.used = quota.in_use() ? quota.used_milli(id, resource) : tenant.running_milli;
        standing.waiting = tenant.gpu_milli - tenant.running_milli;
      } else if (quota.in_use()) {
        standing.used = quota.used_milli(id, resource);
      }
      if (index > 0) children_[tenant.record.parent.value()].push_back(id);
    }
    if (resource != kAllGpus) count_jobs(!quota.in_use());
    for (const auto& pool : book.core->state().pools) {
      const std::uint32_t type = pool->gpu_type();
      if (resource != kAllGpus && type + 1 != resource) continue;
      const std::int64_t up = std::int64_t{pool->nodes()} * pool->gpus_per_node() - pool->down_gpus();
      up_ +=
          up * (resource == kAllGpus && type != NodeType::kNoGpu ? book.fleet.gpu_types[type].equivalent_milli
                                                                 : 1000);
    }
  }

  std::vector<QuotaStanding> take() {
    divide_up();
    for (std::uint32_t index = 0; index < standings_.size(); ++index) lend(standings_[index]);
    return std::move(standings_);
  }

 private:
  /// Of the type that is asked for.
  void count_jobs(bool running) {
    const std::string& name = book_.fleet.gpu_types[resource_ - 1U].name;
    for (const auto& [number, job] : book_.jobs) {
      const bool waits = (job.record.state == JobState::kWaiting || book_.in_line(job)) &&
                         job.request.shape.gpu_types == std::uint64_t{1} << (resource_ - 1U);
      const bool runs = running && job.attempt && job.attempt->gpu_type == name;
      if (!waits && !runs) continue;
      for (TenantId at = job.record.tenant; at.valid(); at = book_.tenants[at.value()].record.parent)
        (waits ? standings_[at.value()].waiting : standings_[at.value()].used) +=
            job.record.gpu_milli * job.record.stands_for;
    }
  }

  /// As the core does where tenants reclaim to their fair shares.
  void divide_up() {
    const sched::QuotaTree& quota = book_.core->state().quota;
    std::vector<sched::Claimant> claimants(standings_.size());
    for (std::uint32_t index = 0; index < standings_.size(); ++index) {
      const QuotaStanding& standing = standings_[index];
      sched::Claimant& claimant = claimants[index];
      if (index > 0) {
        claimant.parent = book_.tenants[index].record.parent;
        claimant.weight = book_.tenants[index].record.weight;
      }
      claimant.terms = standing.terms;
      claimant.used = standing.used;
      claimant.spent = quota.budget(standing.tenant) != BudgetState::kOpen;
      claimant.waiting = standing.waiting;
      for (const TenantId child : children_[index]) claimant.waiting -= standings_[child.value()].waiting;
    }
    const std::vector<std::int64_t> deserved = sched::divide(claimants, up_);
    for (std::size_t index = 0; index < standings_.size(); ++index)
      standings_[index].deserved = deserved[index];
  }

  /// What is used beyond guarantees and beyond what nobody is guaranteed is lent by those who leave theirs.
  void lend(const QuotaStanding& parent) {
    const std::vector<TenantId>& children = children_[parent.tenant.value()];
    std::int64_t guaranteed = 0, own_used = parent.used;
    for (const TenantId id : children) {
      QuotaStanding& child = standings_[id.value()];
      const std::int64_t mine = child.terms.guaranteed_milli;
      guaranteed += mine;
      own_used -= child.used;
      child.borrowed = std::max<std::int64_t>(0, child.used - mine);
      child.owed = std::clamp<std::int64_t>(mine - child.used, 0, std::max<std::int64_t>(0, child.waiting));
    }
    const std::int64_t whole =
        parent.tenant == TenantTree::root() ? up_ : std::max(parent.terms.guaranteed_milli, parent.used);
    std::int64_t borrowed = std::max<std::int64_t>(0, own_used), idle = 0;
    const auto spare = [this](TenantId id) {
      const QuotaStanding& child = standings_[id.value()];
      const std::int64_t unused = std::max<std::int64_t>(0, child.terms.guaranteed_milli - child.used);
      return child.terms.lend_milli == QuotaTerms::kUnlimited ? unused
                                                              : std::min(unused, child.terms.lend_milli);
    };
    for (const TenantId id : children) {
      borrowed += standings_[id.value()].borrowed;
      idle += spare(id);
    }
    const std::int64_t lent =
        std::clamp<std::int64_t>(borrowed - std::max<std::int64_t>(0, whole - guaranteed), 0, idle);
    __extension__ using Wide = __int128;
    for (const TenantId id : children)
      if (idle > 0) standings_[id.value()].lent = static_cast<std::int64_t>(Wide{lent} * spare(id) / idle);
  }

  const Book& book_;
  QuotaResource resource_;
  std::vector<QuotaStanding> standings_;
  std::vector<std::vector<TenantId>> children_;
  std::int64_t up_ = 0;  ///< GPUs that are up.
};

}  // namespace

std::vector<QuotaStanding> quota_standings(const Book& book, QuotaResource resource) {
  return View(book, resource).take();
}

}  // namespace gw::live
