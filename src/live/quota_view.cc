// Level by level down the tree.
#include "live/quota_view.h"

#include <algorithm>

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
    standings_[0].deserved = up_;
    for (std::uint32_t index = 0; index < standings_.size(); ++index) divide(standings_[index]);
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

  [[nodiscard]] static std::int64_t asked(const QuotaStanding& standing) {
    return standing.used + standing.waiting;
  }

  void divide(const QuotaStanding& parent) {
    const std::vector<TenantId>& children = children_[parent.tenant.value()];
    std::int64_t needed = 0, guaranteed = 0, own = asked(parent), own_used = parent.used;
    for (const TenantId id : children) {
      QuotaStanding& child = standings_[id.value()];
      const std::int64_t mine = child.terms.guaranteed_milli;
      const std::int64_t kept =
          child.terms.lend_milli == QuotaTerms::kUnlimited ? 0 : mine - child.terms.lend_milli;
      needed += std::max(std::min(mine, asked(child)), kept);
      guaranteed += mine;
      own -= asked(child);
      own_used -= child.used;
      child.deserved = mine;
      child.borrowed = std::max<std::int64_t>(0, child.used - mine);
      child.owed = std::clamp<std::int64_t>(mine - child.used, 0, std::max<std::int64_t>(0, child.waiting));
    }
    std::int64_t rest = std::max<std::int64_t>(0, parent.deserved - needed);
    rest -= std::clamp<std::int64_t>(own, 0, rest);
    share_out(children, rest);
    // What is used beyond guarantees and beyond what nobody is guaranteed is lent by those who leave theirs.
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

  void share_out(std::vector<TenantId> hungry, std::int64_t rest) {
    const auto wants = [this](TenantId id) {
      const QuotaStanding& child = standings_[id.value()];
      return std::min(asked(child), child.terms.most_milli()) - child.deserved;
    };
    while (rest > 0) {
      std::erase_if(hungry, [&](TenantId id) { return wants(id) <= 0; });
      if (hungry.empty()) return;
      std::int64_t weights = 0;
      for (const TenantId id : hungry) weights += book_.tenants[id.value()].record.weight;
      // Whoever asks for less than its part gets what it asks for; then the others share the rest anew.
      const std::int64_t before = rest;
      bool filled = false;
      for (const TenantId id : hungry) {
        const std::int64_t part = before / weights * book_.tenants[id.value()].record.weight;
        if (wants(id) > part) continue;
        rest -= wants(id);
        standings_[id.value()].deserved += wants(id);
        filled = true;
      }
      if (filled) continue;
      for (const TenantId id : hungry)
        standings_[id.value()].deserved += before / weights * book_.tenants[id.value()].record.weight;
      return;
    }
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
