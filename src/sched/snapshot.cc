// Core::snapshot and Core::restore: the whole deciding state as bytes.
#include <algorithm>

#include "base/check.h"
#include "sched/codec.h"
#include "sched/core.h"

namespace gw::sched {
namespace {

constexpr std::uint64_t kFormat = 3;

}  // namespace

// Indices, queues and sums are not written: they follow from the nodes and jobs, and ties go by id, so a
// rebuilt index decides like the one it replaces.
std::string Core::snapshot() const {
  GW_CHECK(building_.interrupted.empty() && building_.rejections.empty());  // A plan is due first.
  ByteWriter out;
  out.u64(kFormat);
  out.i64(now_.count());
  out.u64(state_.next_job);
  out.u64(state_.releases);
  out.u64(state_.changes.last_seen.value());
  const State::Changes& changes = state_.changes;
  out.u64((changes.released ? 1 : 0) | (changes.irregular ? 2 : 0) | (changes.nodes ? 4 : 0) |
          (state_.uniform ? 8 : 0));
  const FairShare& fair = state_.pending.fair_share();
  const FairShare::State shares = fair.save();
  out.u64(fair.tenants() - 1);
  for (std::uint32_t tenant = 1; tenant < fair.tenants(); ++tenant) {
    out.u64(fair.parent(TenantId{tenant}).value());
    out.u64(fair.weight(TenantId{tenant}));
  }
  out.i64(shares.charged_to.count());
  out.f64(shares.inflation);
  for (const double usage : shares.usage) out.f64(usage);
  for (const auto& pool : state_.pools) {
    std::vector<std::uint32_t> down;
    for (std::uint32_t node = 0; node < pool->nodes(); ++node) {
      if (pool->is_down(node)) down.push_back(node);
    }
    out.u64(down.size());
    for (const std::uint32_t node : down) out.u64(node);
  }
  std::vector<const Job*> jobs;
  state_.jobs.for_each([&](const Job& job) { jobs.push_back(&job); });
  std::sort(jobs.begin(), jobs.end(), [](const Job* a, const Job* b) { return a->id < b->id; });
  out.u64(jobs.size());
  for (const Job* job : jobs) {
    out.u64(job->id.value());
    encode(out, job->request);
    out.i64(job->waits_since.count());
    out.u64(static_cast<std::uint64_t>(job->reason));
    out.u64(job->running ? 1 : 0);
    if (!job->running) continue;
    out.i64(job->expected_end.count());
    encode(out, job->placement);
  }
  for (const auto& pool : state_.pools) {
    out.u64(pool->closed_nodes());
    for (std::uint32_t node = 0; pool->closed_nodes() > 0 && node < pool->nodes(); ++node) {
      if (pool->is_closed(node)) out.u64(node);
    }
  }
  pass_->save(out);
  return out.take();
}

bool Core::restore(std::string_view snapshot) {
  GW_CHECK(state_.next_job == 0 && state_.jobs.size() == 0);
  ByteReader in(snapshot);
  if (in.u64() != kFormat) return false;
  now_ = Instant{in.i64()};
  const std::uint32_t next_job = in.u32();
  const std::uint64_t releases = in.u64();
  const auto last_seen = JobId{in.u32()};
  const std::uint64_t flags = in.u64();
  // Every job between was seen by the pass before the snapshot, but for a batch that still awaits its plan.
  constexpr std::uint32_t kMostUnseen = 1U << 20;
  const std::uint32_t seen = last_seen.valid() ? last_seen.value() + 1 : 0;
  if (!in.ok() || now_ < Instant{} || now_ > kLastInstant || !JobId{next_job}.valid() || seen > next_job ||
      next_job - seen > kMostUnseen)
    return false;
  Plan ignored;
  const std::size_t tenants = in.count();
  for (std::size_t tenant = 0; tenant < tenants; ++tenant) {
    const TenantId parent{in.u32()};
    const std::uint32_t weight = in.u32();
    if (!in.ok() || weight == 0 || parent.value() >= state_.pending.tenants() ||
        state_.pending.fair_share().depth(parent) >= FairShare::kMostDepth)
      return false;
    state_.apply(Event::tenant_added(parent, weight), now_, ignored);
  }
  FairShare::State shares;
  shares.charged_to = Instant{in.i64()};
  shares.inflation = in.f64();
  const auto sensible = [](double value) { return value > -1e200 && value < 1e200; };  // Not so for a NaN.
  if (shares.charged_to < Instant{} || shares.charged_to > now_ || !sensible(shares.inflation) ||
      shares.inflation < 1)
    return false;
  for (std::size_t tenant = 0; tenant <= tenants; ++tenant) {
    shares.usage.push_back(in.f64());
    if (!sensible(shares.usage.back())) return false;
  }
  for (const auto& pool : state_.pools) {
    const std::size_t down = in.count();
    for (std::size_t index = 0; index < down; ++index) {
      const std::uint32_t node = in.u32();
      if (!in.ok() || node >= pool->nodes() || pool->is_down(node)) return false;
      pool->set_down(node);
    }
  }
  const std::size_t jobs = in.count();
  constexpr std::size_t kLeastJobBytes = 16;
  state_.jobs.reserve(std::min(jobs, in.left() / kLeastJobBytes));
  for (std::size_t index = 0; index < jobs; ++index) {
    const JobId id{in.u32()};
    const JobRequest request = decode_request(in);
    const Instant waits_since{in.i64()};
    const std::uint8_t reason = in.u8();
    const bool running = in.u64() != 0;
    if (!in.ok() || id.value() >= next_job || state_.jobs.find(id) != nullptr || reason >= kReasons ||
        !request_problem(request).empty() || request.tenant.value() > tenants || waits_since < Instant{} ||
        waits_since > now_)
      return false;
    Job* job = nullptr;
    if (running) {
      const Instant expected_end{in.i64()};
      Placement placement = decode_placement(in);
      if (!in.ok() || placement.pool >= state_.pools.size() || expected_end < Instant{} ||
          !state_.pools[placement.pool]->is_free(request.shape, placement))
        return false;
      job = state_.put_running(id, request, waits_since, std::move(placement), expected_end, now_);
    } else {
      job = state_.put_waiting(id, request, waits_since);
    }
    if (job == nullptr) return false;
    job->reason = static_cast<Reason>(reason);
  }
  for (const auto& pool : state_.pools) {  // Last: jobs may run on closed nodes, but not start there.
    const std::size_t closed = in.count();
    for (std::size_t index = 0; index < closed; ++index) {
      const std::uint32_t node = in.u32();
      if (!in.ok() || node >= pool->nodes() || pool->is_closed(node)) return false;
      pool->close(node);
    }
    if (closed > 0 && (flags & 8) != 0) return false;
  }
  state_.next_job = next_job;
  state_.releases = releases;
  if ((flags & 8) == 0) state_.set_structured();
  if (state_.uniform != ((flags & 8) != 0)) return false;
  state_.changes = {(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, last_seen};
  pass_ = make_pass(state_);
  const std::vector<std::int64_t> running_milli = state_.pending.fair_share().save().running_milli;
  state_.pending.fair_share().restore({shares.charged_to, shares.inflation, shares.usage, running_milli});
  return pass_->restore(state_, in) && in.done() && check().empty();
}

}  // namespace gw::sched
