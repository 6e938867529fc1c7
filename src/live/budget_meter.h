// BudgetMeter: what tenants have used in the calendar month so far, also by what still runs, and when they
// will have used a given amount.
//
// Use grows at a rate that changes only when something starts or ends, so that the moment at which a budget
// is spent is computed, never waited for by looking. Amounts are kept so fine that nothing is rounded.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "live/prices.h"
#include "live/records.h"

namespace gw::live {

class Book;

class BudgetMeter {
 public:
  /// Begins the month that the book's present is in, with nothing posted; what runs counts. From now on it is
  /// in use.
  void begin_month(const Book& book, const Prices& prices);
  [[nodiscard]] bool in_use() const { return in_use_; }
  [[nodiscard]] Instant month_begin() const { return begin_; }
  [[nodiscard]] Instant month_end() const { return end_; }
  /// As month_of counts them.
  [[nodiscard]] std::int64_t month() const { return month_; }

  /// The following do nothing until it is in use.
  void post(const Book& book, const TransferRecord& transfer);
  /// An attempt runs, or has been heard to have started at another time.
  void start(const Book& book, const Prices& prices, const AttemptRecord& attempt);
  void stop(const Book& book, std::uint64_t job);
  /// True once after something may have changed what `spent_at` answers.
  bool take_changed() { return std::exchange(changed_, false); }

  struct Spent {
    std::int64_t gpu_milli_hours = 0;
    std::int64_t micro_euros = 0;
  };
  /// With all below it; rounded down.
  [[nodiscard]] Spent spent(TenantId tenant, Instant now) const;
  /// Has it used `percent` of the budget?
  [[nodiscard]] bool has_spent(TenantId tenant, const Budget& budget, std::uint32_t percent,
                               Instant now) const;
  /// When it will have, if all goes on as it does; Instant::max() if never. Not before `now`.
  [[nodiscard]] Instant spent_at(TenantId tenant, const Budget& budget, std::uint32_t percent,
                                 Instant now) const;

  /// Recounts; false if a sum is wrong.
  [[nodiscard]] bool check(const Book& book, const Prices& prices) const;

 private:
  __extension__ using Wide = __int128;
  /// GPUs in thousandths times nanoseconds; thousandths of micro-euros an hour times nanoseconds.
  struct Use {
    Wide gpu = 0;
    Wide price = 0;
  };
  struct Row {
    Use posted;
    Use rate;    ///< For each nanosecond.
    Use offset;  ///< The rates times when they began.
  };
  struct Running {
    TenantId tenant;
    std::int64_t gpu = 0;
    std::int64_t price = 0;
    Instant since;
  };
  void add(const Book& book, const Running& running, int sign);
  [[nodiscard]] Running running_of(const Book& book, const Prices& prices,
                                   const AttemptRecord& attempt) const;
  [[nodiscard]] Use use(TenantId tenant, Instant now) const;

  bool in_use_ = false;
  bool changed_ = false;
  std::int64_t month_ = 0;
  Instant begin_;
  Instant end_;
  std::vector<Row> rows_;                     ///< By tenant, with all below.
  std::map<std::uint64_t, Running> running_;  ///< By job.
};

}  // namespace gw::live
