// The table of named policies.
#include "model/policy.h"

namespace gw {

const std::vector<PolicyName>& policy_names() {
  static const std::vector<PolicyName> names = {
      {"gigawerk",
       "hierarchical fair share, node reservations with backfill, smallest fabric span (default)"},
      {"fifo", "first come, first served; nothing overtakes"},
      {"easy", "first come, first served with EASY backfill: the first blocked job holds a reservation"},
      {"conservative",
       "first come, first served with conservative backfill: every waiting job holds a reservation"},
      {"sjf", "shortest time limit first; nothing overtakes the first that does not fit"},
      {"sjf-easy", "shortest time limit first with EASY backfill"},
      {"priority", "priority plus age; nothing overtakes"},
      {"priority-easy", "priority plus age with EASY backfill"},
      {"fairshare", "hierarchical fair share with half-life decay; nothing overtakes"},
      {"fairshare-easy", "hierarchical fair share with EASY backfill, first-fit placement"},
  };
  return names;
}

std::optional<PolicyConfig> policy_by_name(std::string_view name) {
  struct Row {
    std::string_view name;
    OrderKind order;
    BackfillKind backfill;
    PlacementKind placement;
  };
  using enum OrderKind;
  static constexpr Row rows[] = {
      {"gigawerk", kFairShare, BackfillKind::kEasy, PlacementKind::kSmallestSpan},
      {"fifo", kFifo, BackfillKind::kNone, PlacementKind::kSmallestSpan},
      {"easy", kFifo, BackfillKind::kEasy, PlacementKind::kSmallestSpan},
      {"conservative", kFifo, BackfillKind::kConservative, PlacementKind::kSmallestSpan},
      {"sjf", kShortestFirst, BackfillKind::kNone, PlacementKind::kSmallestSpan},
      {"sjf-easy", kShortestFirst, BackfillKind::kEasy, PlacementKind::kSmallestSpan},
      {"priority", kPriorityAge, BackfillKind::kNone, PlacementKind::kSmallestSpan},
      {"priority-easy", kPriorityAge, BackfillKind::kEasy, PlacementKind::kSmallestSpan},
      {"fairshare", kFairShare, BackfillKind::kNone, PlacementKind::kSmallestSpan},
      {"fairshare-easy", kFairShare, BackfillKind::kEasy, PlacementKind::kFirstFit},
  };
  for (const Row& row : rows) {
    if (row.name != name) continue;
    PolicyConfig config;
    config.name = std::string(name);
    config.order = row.order;
    config.backfill = row.backfill;
    config.placement = row.placement;
    if (name == "gigawerk") config.preemption = PreemptionKind::kReclaimAndPriority;
    return config;
  }
  return std::nullopt;
}

}  // namespace gw
