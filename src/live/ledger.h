// Ledger: transfers of what attempts have used, of what is given back to those who had to leave, and parts of
// them.
#pragma once

#include <cstdint>
#include <string>

#include "live/book.h"
#include "live/prices.h"
#include "live/records.h"

namespace gw::live {

/// What one attempt used inside the asked time.
struct UsageRow {
  AttemptId attempt;
  std::uint64_t array_job = 0;  ///< Of a task, where the archive was asked for jobs; as in JobRecord.
  std::uint32_t array_index = 0;
  TransferKind kind = TransferKind::kUsage;
  TenantId tenant;
  std::string user;
  std::string gpu_type;
  std::string price_plan;
  Instant from;  ///< Cut to the asked time.
  Instant to;
  std::int64_t micro_gpu_s = 0;
  std::int64_t micro_core_s = 0;
  Joules energy;
  MicroEuros price;
};

/// Of one transfer, the part between `from` and `to`. Parts of adjacent times add up to the whole exactly.
UsageRow part_of(const TransferRecord& transfer, Instant from, Instant to);

/// What an attempt of `user` has used from its start to `to`; its `sequence` is the caller's.
TransferRecord use_of(const Book& book, const Prices& prices, const AttemptRecord& attempt,
                      const std::string& user, Instant to);

/// What a preempted attempt that has ended gets back: the price of the work that it lost, which is the time
/// since its last whole interval between checkpoints (since its start where it keeps none), and of the time
/// that a restart takes. It lies over the lost time; no price: there is nothing to give back.
TransferRecord credit_of(const Book& book, const Prices& prices, const AttemptRecord& attempt,
                         const std::string& user, Nanoseconds checkpoint_interval, Nanoseconds restart);

/// What an attempt costs as it runs, in thousandths of micro-euros an hour.
std::int64_t price_rate(const Book& book, const Prices& prices, const AttemptRecord& attempt);

}  // namespace gw::live
