// The lines of gw journal show.
#include "cli/journal_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/text.h"
#include "spec/power_text.h"

namespace gw {
namespace {

using sched::Event;
using sched::EventKind;
using sched::Plan;

std::string count_text(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string submission_text(const Event& event) {
  const Shape& shape = event.request.shape;
  const std::string size = shape.gpu_milli != 0 ? fmt::format("{} thousandths of a GPU", shape.gpu_milli)
                           : shape.nodes == 0   ? fmt::format("{} GPUs anywhere", shape.gpus)
                                                : fmt::format("{} x {} GPUs", shape.nodes, shape.gpus);
  return fmt::format("job {} submitted: {}, limit {:.0f} s, tenant {}", event.job.value(), size,
                     to_seconds(event.request.limit), event.request.tenant.value());
}

std::string quota_text(const Event& event, const Fleet& fleet) {
  const auto gpus = [](std::int64_t milli) {
    return milli == QuotaTerms::kUnlimited ? "any" : fmt::format("{:g}", static_cast<double>(milli) / 1000);
  };
  const std::string resource = event.resource == kAllGpus ? "GPU-equivalents"
                               : event.resource <= fleet.gpu_types.size()
                                   ? fmt::format("{} GPUs", fleet.gpu_types[event.resource - 1U].name)
                                   : fmt::format("GPUs of type {}", event.resource - 1U);
  return fmt::format("tenant {} is guaranteed {} {}, borrows {}, lends {}, limit {}", event.tenant.value(),
                     gpus(event.terms.guaranteed_milli), resource, gpus(event.terms.borrow_milli),
                     gpus(event.terms.lend_milli), gpus(event.terms.limit_milli));
}

std::string budget_text(const Event& event) {
  switch (event.budget) {
    case BudgetState::kOpen:
      return fmt::format("budget of tenant {} has money left", event.tenant.value());
    case BudgetState::kStopNew:
      return fmt::format("budget of tenant {} is spent: nothing new starts", event.tenant.value());
    case BudgetState::kStopAll:
      return fmt::format("budget of tenant {} is spent: its jobs save their work and wait",
                         event.tenant.value());
  }
  return fmt::format("budget of tenant {}", event.tenant.value());
}

std::string cap_text(const Event& event) {
  const std::string feed = fmt::format("feed {} of level {}", event.feed_vertex, event.feed_level);
  if (event.cap.count() == 0) return fmt::format("{} has no cap", feed);
  return fmt::format("{} has a cap of {}, clocks {}", feed, spec::power_text(event.cap),
                     event.clocks ? "can be capped" : "cannot be capped");
}

std::string window_text(const Event& event) {
  const WindowTerms& terms = event.reserved;
  std::uint64_t nodes = 0;
  for (const NodeRun& run : terms.nodes) nodes += run.count;
  std::string whom = "maintenance";
  if (terms.job.valid()) {
    whom = fmt::format("job {}", terms.job.value());
  } else if (terms.tenant.valid()) {
    whom = fmt::format("tenant {}", terms.tenant.value());
  }
  std::string text = fmt::format("window {}: {} reserved for {} from {:.3f} s for {}", event.window.value(),
                                 count_text(nodes, "node"), whom, to_seconds(terms.from),
                                 report::format_duration(to_seconds(terms.length)));
  if (terms.every > Nanoseconds{0})
    text += fmt::format(", every {}", report::format_duration(to_seconds(terms.every)));
  if (terms.preempt) text += ", jobs in the way are preempted";
  return text;
}

std::string place_text(const sched::Placement& placement) {
  std::uint64_t nodes = 0;
  for (const sched::Piece& piece : placement.pieces) nodes += piece.count;
  return fmt::format("{} of pool {} from node {}", count_text(nodes, "node"), placement.pool,
                     placement.pieces.empty() ? 0 : placement.pieces.front().node);
}

const Plan::Resize* resize_of(const Plan& plan, JobId job) {
  const auto at = std::find_if(plan.resizes.begin(), plan.resizes.end(),
                               [&](const Plan::Resize& resize) { return resize.job == job; });
  return at == plan.resizes.end() ? nullptr : &*at;
}

std::string interruption_text(JobId job, const Plan& plan, const Fleet& fleet) {
  std::string spares;
  for (const Plan::Replacement& each : plan.replacements) {
    if (each.job != job) continue;
    spares += fmt::format("{} {} in place of {}", spares.empty() ? "" : ",", fleet.node_name(each.spare),
                          fleet.node_name(each.failed));
  }
  if (!spares.empty()) return fmt::format("job {} goes on with{}", job.value(), spares);
  if (resize_of(plan, job) != nullptr)
    return fmt::format("job {} lost nodes and goes on smaller", job.value());
  return fmt::format("job {} lost its nodes and waits again", job.value());
}

std::string preemption_text(const Plan::Preemption& preemption, const Plan& plan) {
  const std::uint32_t job = preemption.job.value();
  if (const Plan::Resize* resize = resize_of(plan, preemption.job)) {
    return fmt::format(
        "job {} saves its work and {} to {}{}", job, resize->grows ? "grows" : "shrinks",
        place_text(resize->placement),
        preemption.for_job.valid() ? fmt::format(", for job {}", preemption.for_job.value()) : std::string{});
  }
  if (!preemption.for_job.valid()) return fmt::format("job {} saves its work and leaves", job);
  return fmt::format("job {} saves its work and leaves for job {}", job, preemption.for_job.value());
}

}  // namespace

std::string event_text(const Event& event, const Fleet& fleet) {
  switch (event.kind) {
    case EventKind::kTenantAdded:
      return fmt::format("tenant added under {}, weight {}", event.parent.value(), event.weight);
    case EventKind::kJobSubmitted:
      return submission_text(event);
    case EventKind::kJobEnded:
      return fmt::format("job {} ended", event.job.value());
    case EventKind::kJobCancelled:
      return fmt::format("job {} cancelled", event.job.value());
    case EventKind::kNodeDown:
      return fmt::format("node {} down", fleet.node_name(event.node));
    case EventKind::kNodeUp:
      return fmt::format("node {} up", fleet.node_name(event.node));
    case EventKind::kNodeClosed:
      return fmt::format("node {} closed", fleet.node_name(event.node));
    case EventKind::kNodeReopened:
      return fmt::format("node {} reopened", fleet.node_name(event.node));
    case EventKind::kTenantWeight:
      return fmt::format("tenant {} has weight {}", event.tenant.value(), event.weight);
    case EventKind::kJobRequeued:
      return fmt::format("job {} waits again", event.job.value());
    case EventKind::kTenantQuota:
      return quota_text(event, fleet);
    case EventKind::kTenantBudget:
      return budget_text(event);
    case EventKind::kFeedCap:
      return cap_text(event);
    case EventKind::kWindowAdded:
      return window_text(event);
    case EventKind::kWindowRemoved:
      return fmt::format("window {} removed", event.window.value());
    case EventKind::kJobResized:
      return fmt::format("job {} resized", event.job.value());
    case EventKind::kJobZones:
      return fmt::format("job {} may be in zones {:#x}", event.job.value(), event.zones);
    case EventKind::kFeedPrice:
      return fmt::format("prices of feed {} of level {}: {} steps", event.feed_vertex, event.feed_level,
                         event.prices.size());
  }
  return fmt::format("event of kind {}", static_cast<unsigned>(event.kind));
}

std::vector<std::string> plan_texts(const Plan& plan, const Fleet& fleet) {
  std::vector<std::string> texts;
  for (const JobId job : plan.interrupted) texts.push_back(interruption_text(job, plan, fleet));
  for (const JobId job : plan.stopped) {
    texts.push_back(resize_of(plan, job) != nullptr
                        ? fmt::format("job {} stops for want of power and goes on smaller", job.value())
                        : fmt::format("job {} stops for want of power and waits again", job.value()));
  }
  for (const Plan::Clock& clock : plan.clocks) {
    texts.push_back(clock.permille == 1000
                        ? fmt::format("job {} has its clocks free", clock.job.value())
                        : fmt::format("job {} may draw {:.1f} % of its power", clock.job.value(),
                                      static_cast<double>(clock.permille) / 10));
  }
  for (const Plan::Preemption& preemption : plan.preemptions)
    texts.push_back(preemption_text(preemption, plan));
  for (const Plan::Rejection& rejection : plan.rejections) {
    texts.push_back(
        fmt::format("job {} rejected: {}", rejection.job.value(), sched::reason_text(rejection.reason)));
  }
  for (const Plan::Start& start : plan.starts)
    texts.push_back(fmt::format("start job {} on {}", start.job.value(), place_text(start.placement)));
  return texts;
}

}  // namespace gw
