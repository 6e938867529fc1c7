// Names of states, outcomes and roles; months.
#include "live/records.h"

#include <array>
#include <chrono>
#include <utility>

namespace gw::live {
namespace {

template <class Enum>
using Names = std::pair<Enum, std::string_view>;

constexpr std::array kStates{
    Names<JobState>{JobState::kHeld, "held"}, Names<JobState>{JobState::kBlocked, "blocked"},
    Names<JobState>{JobState::kWaiting, "waiting"}, Names<JobState>{JobState::kRunning, "running"},
    Names<JobState>{JobState::kEnded, "ended"}};

constexpr std::array kOutcomes{Names<Outcome>{Outcome::kNone, "none"},
                               Names<Outcome>{Outcome::kCompleted, "completed"},
                               Names<Outcome>{Outcome::kFailed, "failed"},
                               Names<Outcome>{Outcome::kCancelled, "cancelled"},
                               Names<Outcome>{Outcome::kTimeLimit, "time_limit"},
                               Names<Outcome>{Outcome::kOutOfMemory, "out_of_memory"},
                               Names<Outcome>{Outcome::kLaunchFailed, "launch_failed"},
                               Names<Outcome>{Outcome::kLost, "lost"},
                               Names<Outcome>{Outcome::kNever, "never"},
                               Names<Outcome>{Outcome::kDependency, "dependency"}};

constexpr std::array kBlocks{Names<BlockReason>{BlockReason::kNone, "none"},
                             Names<BlockReason>{BlockReason::kBegin, "begin"},
                             Names<BlockReason>{BlockReason::kDependency, "dependency"},
                             Names<BlockReason>{BlockReason::kArrayLimit, "array-limit"}};

constexpr std::array kEnds{Names<AttemptEnd>{AttemptEnd::kExited, "exited"},
                           Names<AttemptEnd>{AttemptEnd::kSignalled, "signalled"},
                           Names<AttemptEnd>{AttemptEnd::kTimeLimit, "time_limit"},
                           Names<AttemptEnd>{AttemptEnd::kStopped, "stopped"},
                           Names<AttemptEnd>{AttemptEnd::kOutOfMemory, "out_of_memory"},
                           Names<AttemptEnd>{AttemptEnd::kLaunchFailed, "launch_failed"},
                           Names<AttemptEnd>{AttemptEnd::kLost, "lost"},
                           Names<AttemptEnd>{AttemptEnd::kPreempted, "preempted"}};

constexpr std::array kActions{Names<BudgetAction>{BudgetAction::kWarn, "warn"},
                              Names<BudgetAction>{BudgetAction::kStopNew, "stop-new"},
                              Names<BudgetAction>{BudgetAction::kStopAll, "stop-all"}};

constexpr std::array kTransfers{Names<TransferKind>{TransferKind::kUsage, "usage"},
                                Names<TransferKind>{TransferKind::kPreemptionCredit, "preemption-credit"}};

constexpr std::array kRoles{Names<Role>{Role::kViewer, "viewer"}, Names<Role>{Role::kMember, "member"},
                            Names<Role>{Role::kOperator, "operator"}, Names<Role>{Role::kAdmin, "admin"}};

template <class Table, class Enum>
std::string_view name_in(const Table& table, Enum value) {
  for (const auto& [each, name] : table) {
    if (each == value) return name;
  }
  return "unknown";
}

template <class Table>
auto value_in(const Table& table, std::string_view name) -> std::optional<decltype(table[0].first)> {
  for (const auto& [value, each] : table) {
    if (each == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(JobState state) { return name_in(kStates, state); }
std::string_view name_of(BlockReason reason) { return name_in(kBlocks, reason); }
std::string_view name_of(Outcome outcome) { return name_in(kOutcomes, outcome); }
std::string_view name_of(AttemptEnd end) { return name_in(kEnds, end); }
std::string_view name_of(BudgetAction action) { return name_in(kActions, action); }
std::optional<BudgetAction> budget_action_by_name(std::string_view name) { return value_in(kActions, name); }
std::string_view name_of(TransferKind kind) { return name_in(kTransfers, kind); }
std::optional<TransferKind> transfer_kind_by_name(std::string_view name) {
  return value_in(kTransfers, name);
}
std::string_view name_of(Role role) { return name_in(kRoles, role); }
std::string_view status_of(JobState state, Outcome outcome) {
  return state == JobState::kEnded ? name_of(outcome) : name_of(state);
}
std::optional<JobState> job_state_by_name(std::string_view name) { return value_in(kStates, name); }
std::optional<Outcome> outcome_by_name(std::string_view name) { return value_in(kOutcomes, name); }
std::optional<Role> role_by_name(std::string_view name) { return value_in(kRoles, name); }

std::vector<std::string> country_list(std::string_view joined) {
  std::vector<std::string> countries;
  while (!joined.empty()) {
    const std::size_t comma = joined.find(',');
    if (comma != 0) countries.emplace_back(joined.substr(0, comma));
    joined.remove_prefix(comma == std::string_view::npos ? joined.size() : comma + 1);
  }
  return countries;
}

std::int64_t month_of(std::int64_t unix_ns) {
  const std::chrono::sys_days day{std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(unix_ns)))};
  const std::chrono::year_month_day date{day};
  return std::int64_t{int{date.year()}} * 12 + (static_cast<unsigned>(date.month()) - 1);
}

std::int64_t month_begin_unix_ns(std::int64_t month) {
  const std::chrono::sys_days day = std::chrono::year_month_day{
      std::chrono::year{static_cast<int>(month / 12)},
      std::chrono::month{static_cast<unsigned>(month % 12 + 1)}, std::chrono::day{1}};
  return std::chrono::nanoseconds(day.time_since_epoch()).count();
}

}  // namespace gw::live
