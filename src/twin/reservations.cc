// Asking for reservations, and the sums over their times.
#include "twin/reservations.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "sched/window_search.h"

namespace gw::twin {
namespace {

double hours_of(Nanoseconds span) { return to_seconds(span) / 3600; }

/// The part of [from, to) that lies in times of the window.
Nanoseconds inside(const WindowTerms& terms, Instant from, Instant to) {
  Nanoseconds sum{0};
  for (Instant at = from; at < to;) {
    const std::optional<sched::Windows::Time> time = sched::Windows::time_at(terms, at);
    if (!time || time->from >= to) break;
    sum += std::min(to, time->to) - std::max(from, time->from);
    at = time->to;
  }
  return sum;
}

std::string refusal_text(const sched::WindowAnswer& answer) {
  std::string text;
  switch (answer.bar) {
    case sched::WindowAnswer::Bar::kNone:
      return text;
    case sched::WindowAnswer::Bar::kNodes:
      return "the fleet has not so many nodes of that kind";
    case sched::WindowAnswer::Bar::kReserved:
      text = "too many of the nodes are reserved then";
      break;
    case sched::WindowAnswer::Bar::kRunning:
      text = fmt::format("{} jobs run longer", answer.jobs.size());
      break;
  }
  return answer.found ? text + fmt::format("; free from {:.2f} h on", hours_of(answer.terms.from - Instant{}))
                      : text;
}

}  // namespace

Reservations::Reservations(const std::vector<Reservation>& asked, const sched::Core& core) : core_(core) {
  for (const Reservation& reservation : asked) rows_.push_back({reservation, {}, "", 0, 0});
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const Row& a, const Row& b) { return a.asked.made < b.asked.made; });
}

Instant Reservations::next_due() const {
  return next_ < rows_.size() ? rows_[next_].asked.made : Instant::max();
}

std::optional<sched::Event> Reservations::take(Instant now) {
  const WindowId id{static_cast<std::uint32_t>(next_)};
  Row& row = rows_[next_++];
  const sched::WindowAnswer answer = sched::find_window(core_.state(), row.asked.wish, now);
  if (answer.bar != sched::WindowAnswer::Bar::kNone) {
    row.refusal = refusal_text(answer);
    return std::nullopt;
  }
  row.terms = answer.terms;
  for (const NodeRun& run : row.terms.nodes) {
    const auto [pool, node] = core_.state().place_of(run.first);
    row.gpus += std::int64_t{run.count} * core_.state().pools[pool]->gpus_per_node();
  }
  return sched::Event::window_added(id, row.terms);
}

void Reservations::used(const sched::Placement& placement, std::int64_t gpu_milli, Instant from, Instant to) {
  const sched::Pool& pool = *core_.state().pools[placement.pool];
  std::int64_t nodes = 0;
  for (const sched::Piece& piece : placement.pieces) nodes += piece.count;
  for (Row& row : rows_) {
    if (row.terms.nodes.empty()) continue;
    const Nanoseconds span = inside(row.terms, from, to);
    if (span == Nanoseconds{0}) continue;
    std::int64_t milli = 0;
    for (const sched::Piece& piece : placement.pieces) {
      for (std::uint32_t local = piece.node; local < piece.node + piece.count; ++local) {
        const std::uint32_t node = pool.fleet_node(local).value();
        const auto at =
            std::partition_point(row.terms.nodes.begin(), row.terms.nodes.end(),
                                 [&](const NodeRun& run) { return run.first.value() + run.count <= node; });
        if (at == row.terms.nodes.end() || at->first.value() > node) continue;
        milli += gpu_milli < 1000 ? gpu_milli : std::int64_t{1000} * std::popcount(piece.gpu_mask);
      }
    }
    row.used_gpu_hours += static_cast<double>(milli) / 1000 * hours_of(span);
  }
}

std::vector<ReservationSummary> Reservations::summary(const TenantTree& tenants, Instant end) const {
  std::vector<ReservationSummary> summaries;
  for (const Row& row : rows_) {
    ReservationSummary summary;
    summary.name = row.asked.name;
    summary.tenant = row.asked.wish.terms.tenant.valid() ? tenants.path(row.asked.wish.terms.tenant) : "";
    summary.refusal = row.refusal;
    summary.from_s = to_seconds(row.asked.wish.terms.from);
    summary.length_s = to_seconds(row.asked.wish.terms.length);
    if (!row.terms.nodes.empty()) {
      summary.gpus = static_cast<double>(row.gpus);
      for (Instant at = row.terms.from; at < end; ++summary.times) {
        const std::optional<sched::Windows::Time> time = sched::Windows::time_at(row.terms, at);
        if (!time || time->from >= end) break;
        at = time->to;
      }
      summary.reserved_gpu_hours = summary.gpus * hours_of(inside(row.terms, Instant{}, end));
      summary.used_gpu_hours = row.used_gpu_hours;
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace gw::twin
