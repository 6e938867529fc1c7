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
    tenants_.resize(last + 1);
  }
  std::vector<std::uint32_t>& jobs = of_[tenant.value()];
  Entry& entry = entries_[slot];
  entry.job = job.id;
  entry.tenant = job.request.tenant;
  entry.priority = job.request.priority;
  entry.position = static_cast<std::uint32_t>(jobs.size());
  entry.uneven = is_uneven(job);
  entry.gpus = static_cast<std::uint32_t>(std::popcount(job.placement.pieces.front().gpu_mask));
  entry.first_node = job.placement.pieces.front().node;
  for (const Piece& piece : job.placement.pieces) entry.first_node = std::min(entry.first_node, piece.node);
  entry.started = job.started;
  entry.interval = job.request.checkpoint_interval;
  save(entry, job.started);
  if (jobs.empty()) {
    if (tenants_[top.value()].empty()) tops_.push_back(top);
    tenants_[top.value()].push_back(tenant);
  }
  jobs.push_back(slot);
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
  std::vector<std::uint32_t>& jobs = of_[job.request.tenant.value()];
  const std::uint32_t position = entries_[slot].position;
  jobs[position] = jobs.back();
  entries_[jobs[position]].position = position;
  jobs.pop_back();
  if (jobs.empty()) {
    std::erase(tenants_[top.value()], job.request.tenant);
    if (tenants_[top.value()].empty()) std::erase(tops_, top);
  }
  entries_[slot] = Entry{};
  free_.push_back(slot);
  --size_;
}

void VictimIndex::save(Entry& entry, Instant now) {
  entry.saved = entry.started;
  entry.next = Instant::max();
  if (entry.interval <= Nanoseconds{0}) return;
  if (now > entry.started)
    entry.saved = entry.started + entry.interval * ((now - entry.started) / entry.interval);
  if (entry.interval < Instant::max() - entry.saved) entry.next = entry.saved + entry.interval;
}

bool VictimIndex::holds(const Job& job, TenantId top, std::uint32_t slot) const {
  if (slot >= entries_.size()) return false;
  const Entry& entry = entries_[slot];
  return entry.job == job.id && entry.tenant == job.request.tenant &&
         entry.priority == job.request.priority && entry.started == job.started &&
         entry.interval == job.request.checkpoint_interval && entry.uneven == is_uneven(job) &&
         entry.position < of(entry.tenant).size() && of(entry.tenant)[entry.position] == slot &&
         std::count(tenants(top).begin(), tenants(top).end(), entry.tenant) == 1 &&
         std::count(tops_.begin(), tops_.end(), top) == 1 &&
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
