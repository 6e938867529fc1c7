// Commands: what people ask of a live factory, and what it answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "live/records.h"
#include "model/job.h"
#include "model/job_spec.h"
#include "model/window.h"

namespace gw::live {

/// Who asks.
struct Actor {
  std::string token;  ///< Id of the token, or how else it was authorised.
  std::string user;
  Role role = Role::kViewer;
  TenantId tenant{0};  ///< Rights end at this tenant and what is below.
  std::string remote;
  /// Of a token that is not kept here: when it is over, in seconds since 1970; 0: its record says.
  std::int64_t until_unix_s = 0;
};

/// Why something is not done; `status` is the HTTP status that says so.
struct Refusal {
  unsigned status = 400;
  std::string code;     ///< Stable, for programs: `tenant_limit`.
  std::string message;  ///< For people: what is wrong and what to do.
};

struct Submit {
  JobSpec spec;                             ///< Complete: with a name and a limit.
  std::shared_ptr<const std::string> text;  ///< Its canonical JSON.
  TenantId tenant;
  std::string key;           ///< Idempotency key; empty: none.
  std::string request_hash;  ///< Of the request that the key stands for.
  bool dry_run = false;      ///< Only whether it would be taken: nothing is kept, and no number is given.
};

struct JobOrder {
  enum class Kind : std::uint8_t { kCancel, kRequeue, kHold, kRelease };
  Kind kind = Kind::kCancel;
  std::uint64_t number = 0;            ///< Of an array without `index`: all its tasks.
  std::optional<std::uint32_t> index;  ///< One task of the array.
};

struct NodeOrder {
  std::string node;  ///< As nodes_named has it: all nodes of a part of the factory too.
  bool close = true;
  std::string reason;
};

/// Makes a tenant or changes what is given of it.
struct TenantOrder {
  std::string path;
  bool create = false;
  std::optional<std::uint32_t> weight;
  std::optional<std::string> kind;
  std::optional<std::string> home;
  std::optional<std::vector<std::string>> owners;
  std::optional<std::string> unix_user;
  std::optional<std::string> price_plan;
  std::optional<std::int64_t> gpu_milli;  ///< Limit on all GPUs, as QuotaOrder sets it; 0 = none.
  std::optional<std::uint32_t> jobs;
};

/// Sets what is given of a tenant's terms for GPUs, and its budget.
struct QuotaOrder {
  struct Change {
    std::string gpu_type;  ///< Empty: all, in GPU-equivalents.
    std::optional<std::int64_t> guaranteed_milli;
    std::optional<std::int64_t> borrow_milli;  ///< QuotaTerms::kUnlimited: without end.
    std::optional<std::int64_t> lend_milli;
    std::optional<std::int64_t> limit_milli;
  };
  std::string path;
  std::vector<Change> changes;
  /// What is not given stays. A budget of which no amount is left is taken away.
  struct BudgetChange {
    std::optional<std::int64_t> gpu_milli_hours;
    std::optional<std::int64_t> micro_euros;
    std::optional<BudgetAction> action;
    std::optional<std::uint32_t> warn_percent;

    static BudgetChange all_of(const Budget& budget) {
      return {budget.gpu_milli_hours, budget.micro_euros, budget.action, budget.warn_percent};
    }
  };
  std::optional<BudgetChange> budget;
};

/// Reserves nodes, or ends a reservation.
struct ReserveOrder {
  std::string name;
  bool remove = false;
  WindowWish wish;        ///< Its times are the factory's own.
  std::uint64_t job = 0;  ///< A time is promised to this waiting job instead.
  Nanoseconds slack;      ///< ... with so much more than its limit.
  std::string note;
};

/// Caps a feed for a time, or ends a cap.
struct CapOrder {
  std::string feed;  ///< Its path, or an end of it that only one has.
  Milliwatts cap;    ///< IT power.
  Instant from;      ///< The factory's own time; what is past counts as now.
  Instant until = Instant::max();
  std::string reason;
  std::uint32_t remove = 0;  ///< Ends the cap of this number instead.
};

struct TokenOrder {
  std::optional<TokenRecord> add;  ///< `created` is filled in.
  std::string revoke;              ///< Id; empty: none.
};

struct Command {
  std::uint64_t ticket = 0;  ///< Comes back with the reply.
  Actor actor;
  std::variant<Submit, JobOrder, NodeOrder, TenantOrder, TokenOrder, QuotaOrder, ReserveOrder, CapOrder> what;
};

struct Reply {
  std::uint64_t ticket = 0;
  std::optional<Refusal> refusal;
  std::uint64_t number = 0;  ///< Of the job; of an array, its first task's; of the cap.
  std::uint32_t count = 0;   ///< Jobs made or touched; nodes.
  bool repeated = false;     ///< The same request had been carried out before.
  /// Of a dry run that would be taken: what the core would be asked, and what would keep it from it.
  std::optional<JobRequest> request{};
  BlockReason blocked = BlockReason::kNone;
};

}  // namespace gw::live
