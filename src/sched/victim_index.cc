// Who joins and who leaves.
#include "sched/victim_index.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace gw::sched {
namespace {

bool is_uneven(const Job& job) {
  if (job.request.shape.gpu_milli != 0) return true;
  const std::vector<Piece>& pieces = job.placement.pieces;
  return std::any_of(pieces.begin(), pieces.end(), [&](const Piece& piece) {
    return std::popcount(piece.gpu_mask) != std::popcount(pieces.front().gpu_mask);
  });
}

}  // namespace

std::uint32_t VictimIndex::add(const Job& job, TenantId top) {
  std::uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  const TenantId tenant = job.request.tenant;
  if (const std::uint32_t last = std::max(top.value(), tenant.value()); last >= of_.size()) {
    of_.resize(last + 1);
    branch_of_.resize(last + 1, kNone);
  }
  std::uint32_t& which = branch_of_[top.value()];
  if (which == kNone) {
    which = static_cast<std::uint32_t>(branches_.size());
    branches_.push_back({top, {}, {}, {}});
  }
  Branch& branch = branches_[which];
  std::vector<std::uint32_t>& jobs = of_[tenant.value()];
  Entry& entry = entries_[slot];
  entry.job = job.id;
  entry.tenant = tenant;
  entry.priority = job.request.priority;
  entry.position = static_cast<std::uint32_t>(jobs.size());
  entry.uneven = is_uneven(job);
  entry.gpus = static_cast<std::uint16_t>(std::popcount(job.placement.pieces.front().gpu_mask));
  entry.first_node = job.placement.pieces.front().node;
  for (const Piece& piece : job.placement.pieces) entry.first_node = std::min(entry.first_node, piece.node);
  entry.started = job.started;
  entry.interval = job.request.checkpoint_interval;
  if (jobs.empty()) branch.tenants.push_back(tenant);
  jobs.push_back(slot);
  put_in_order(branch, slot);
  note_start(slot);
  if (first_.empty()) {
    first_.assign(nodes_, kNone);
    gpus_.assign(nodes_, 0);
  }
  for (const Piece& piece : job.placement.pieces) {
    const auto gpus = static_cast<std::uint16_t>(std::popcount(piece.gpu_mask));
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      std::uint32_t at = free_place_;
      if (at == kNone) {
        at = static_cast<std::uint32_t>(places_.size());
        places_.emplace_back();
      } else {
        free_place_ = places_[at].next;
      }
      places_[at] = {slot, std::exchange(first_[node], at), gpus};
      gpus_[node] += gpus;
    }
  }
  ++size_;
  return slot;
}

void VictimIndex::remove(const Job& job, TenantId top, std::uint32_t slot) {
  GW_CHECK(slot < entries_.size() && entries_[slot].job == job.id);
  for (const Piece& piece : job.placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      std::uint32_t* link = &first_[node];
      while (*link != kNone && places_[*link].slot != slot) link = &places_[*link].next;
      GW_CHECK(*link != kNone);
      const std::uint32_t at = *link;
      gpus_[node] -= places_[at].gpus;
      *link = std::exchange(places_[at].next, free_place_);
      free_place_ = at;
    }
  }
  Branch& branch = branches_[branch_of_[top.value()]];
  take_out_of_order(branch, slot);
  std::vector<std::uint32_t>& jobs = of_[job.request.tenant.value()];
  const std::uint32_t position = entries_[slot].position;
  jobs[position] = jobs.back();
  entries_[jobs[position]].position = position;
  jobs.pop_back();
  if (jobs.empty()) {
    std::erase(branch.tenants, job.request.tenant);
    if (branch.tenants.empty()) {
      const std::uint32_t which = std::exchange(branch_of_[top.value()], kNone);
      if (which + 1 < branches_.size()) {
        branch = std::move(branches_.back());
        branch_of_[branch.top.value()] = which;
      }
      branches_.pop_back();
    }
  }
  entries_[slot] = Entry{};
  free_.push_back(slot);
  --size_;
}

void VictimIndex::put_in_order(Branch& branch, std::uint32_t slot) {
  Entry& entry = entries_[slot];
  entry.loose = kNone;
  if (!entry.uneven && entry.gpus > 0 && SaveOrder::may_be_of(entry.interval)) {
    auto at = std::find_if(branch.orders.begin(), branch.orders.end(),
                           [&](const Branch::Order& order) { return is_of(order, entry); });
    if (at == branch.orders.end() && branch.orders.size() < kMostOrders)
      at = branch.orders.insert(at, {entry.gpus, SaveOrder{entry.interval}});
    if (at != branch.orders.end()) return at->jobs.insert(key_of(entry, slot));
  }
  entry.loose = static_cast<std::uint32_t>(branch.loose.size());
  branch.loose.push_back(slot);
}

void VictimIndex::take_out_of_order(Branch& branch, std::uint32_t slot) {
  const Entry& entry = entries_[slot];
  if (entry.loose != kNone) {
    branch.loose[entry.loose] = branch.loose.back();
    entries_[branch.loose[entry.loose]].loose = entry.loose;
    branch.loose.pop_back();
    return;
  }
  const auto at = std::find_if(branch.orders.begin(), branch.orders.end(),
                               [&](const Branch::Order& order) { return is_of(order, entry); });
  GW_CHECK(at != branch.orders.end());
  at->jobs.erase(key_of(entry, slot));
  if (at->jobs.empty()) branch.orders.erase(at);
}

void VictimIndex::note_start(std::uint32_t slot) {
  const Recent recent{entries_[slot].started, slot};
  if (recent.started <= forgotten_) return;
  constexpr std::size_t kFew = 64;
  if (recent_.size() >= 2 * size_ + kFew) {
    std::erase_if(recent_, [&](const Recent& each) { return !is_there(each); });
    std::sort(recent_.begin(), recent_.end());
    recent_.erase(std::unique(recent_.begin(), recent_.end()), recent_.end());
    recent_sorted_ = true;
  }
  recent_sorted_ = recent_sorted_ && (recent_.empty() || recent_.back().started <= recent.started);
  recent_.push_back(recent);
}

std::size_t VictimIndex::recent_after(Instant when) {
  if (when < forgotten_) {
    forgotten_ = when;
    recent_.clear();
    for (std::uint32_t slot = 0; slot < entries_.size(); ++slot) {
      if (entries_[slot].job.valid() && entries_[slot].started > when)
        recent_.push_back({entries_[slot].started, slot});
    }
    recent_sorted_ = false;
  }
  if (!std::exchange(recent_sorted_, true)) std::sort(recent_.begin(), recent_.end());
  const auto first = std::upper_bound(recent_.begin(), recent_.end(), when,
                                      [](Instant after, const Recent& each) { return after < each.started; });
  const auto before = static_cast<std::size_t>(first - recent_.begin());
  if (before <= recent_.size() / 2) return before;
  recent_.erase(recent_.begin(), first);
  forgotten_ = when;
  return 0;
}

bool VictimIndex::holds(const Job& job, TenantId top, std::uint32_t slot) const {
  if (slot >= entries_.size()) return false;
  const Entry& entry = entries_[slot];
  return entry.job == job.id && entry.tenant == job.request.tenant &&
         entry.priority == job.request.priority && entry.started == job.started &&
         entry.interval == job.request.checkpoint_interval && entry.uneven == is_uneven(job) &&
         entry.position < of(entry.tenant).size() && of(entry.tenant)[entry.position] == slot &&
         branch(top) != nullptr && branch(top)->top == top &&
         std::count(branch(top)->tenants.begin(), branch(top)->tenants.end(), entry.tenant) == 1 &&
         (entry.loose == kNone
              ? std::any_of(
                    branch(top)->orders.begin(), branch(top)->orders.end(),
                    [&](const Branch::Order& order) {
                      return is_of(order, entry) && order.jobs.has(key_of(entry, slot));
                    })
              : entry.loose < branch(top)->loose.size() && branch(top)->loose[entry.loose] == slot) &&
         std::all_of(
             job.placement.pieces.begin(), job.placement.pieces.end(),
             [&](const Piece& piece) {
               const auto here = [&](std::uint32_t node) {
                 bool any = false;
                 std::uint32_t gpus_here = 0;
                 for_each_on(node, [&](std::uint32_t each, std::uint16_t gpus) {
                   any = any || (each == slot && gpus == std::popcount(piece.gpu_mask));
                   gpus_here += gpus;
                 });
                 return any && gpus_here == gpus_[node];
               };
               return here(piece.node) && here(piece.node + piece.count - 1);
             });
}

}  // namespace gw::sched
