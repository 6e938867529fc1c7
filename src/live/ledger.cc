// Amounts of transfers, and how they are divided.
#include "live/ledger.h"

#include <algorithm>

namespace gw::live {
namespace {

__extension__ using Wide = __int128;

/// `amount` up to `part` of `whole`, rounded half away from zero.
std::int64_t portion(std::int64_t amount, std::int64_t part, std::int64_t whole) {
  if (whole == 0) return amount;
  if (amount < 0) return -portion(-amount, part, whole);
  return static_cast<std::int64_t>((Wide{amount} * part * 2 + whole) / (Wide{whole} * 2));
}

constexpr std::int64_t kMillisecond = 1'000'000;

/// All but amounts.
TransferRecord transfer_of(const Book& book, const AttemptRecord& attempt, const std::string& user,
                           Instant from, Instant to) {
  TransferRecord record;
  record.attempt = attempt.id;
  record.tenant = attempt.tenant;
  record.user = user;
  record.gpu_type = attempt.gpu_type;
  record.from = from;
  record.to = to;
  record.month = month_of(book.unix_ns(to));
  record.price_plan = book.price_plan(attempt.tenant);
  return record;
}

MicroEuros price_of(const Prices& prices, const TransferRecord& record, std::int64_t micro_gpu_s,
                    std::int64_t micro_core_s) {
  const auto plan = prices.find(record.price_plan);
  return plan == prices.end() ? MicroEuros{0}
                              : plan->second.price(record.gpu_type, micro_gpu_s, micro_core_s);
}

}  // namespace

UsageRow part_of(const TransferRecord& transfer, Instant from, Instant to) {
  UsageRow row;
  row.attempt = transfer.attempt;
  row.kind = transfer.kind;
  row.tenant = transfer.tenant;
  row.user = transfer.user;
  row.gpu_type = transfer.gpu_type;
  row.price_plan = transfer.price_plan;
  row.from = std::clamp(from, transfer.from, transfer.to);
  row.to = std::clamp(to, transfer.from, transfer.to);
  const std::int64_t whole = (transfer.to - transfer.from).count();
  const auto between = [&](std::int64_t amount) {
    return portion(amount, (row.to - transfer.from).count(), whole) -
           portion(amount, (row.from - transfer.from).count(), whole);
  };
  row.micro_gpu_s = between(transfer.micro_gpu_s);
  row.micro_core_s = between(transfer.micro_core_s);
  row.energy = Joules{between(transfer.energy.count())};
  row.price = MicroEuros{between(transfer.price.count())};
  return row;
}

TransferRecord use_of(const Book& book, const Prices& prices, const AttemptRecord& attempt,
                      const std::string& user, Instant to) {
  TransferRecord record = transfer_of(book, attempt, user, attempt.started, std::max(to, attempt.started));
  const std::int64_t milliseconds = (record.to - record.from).count() / kMillisecond;
  record.micro_gpu_s = attempt.gpu_milli * milliseconds;
  record.micro_core_s = attempt.cpu_milli * milliseconds;
  record.price = price_of(prices, record, record.micro_gpu_s, record.micro_core_s);
  record.energy = Joules{static_cast<std::int64_t>(Wide{attempt.power.count()} * milliseconds / 1'000'000)};
  return record;
}

TransferRecord credit_of(const Book& book, const Prices& prices, const AttemptRecord& attempt,
                         const std::string& user, Nanoseconds checkpoint_interval, Nanoseconds restart) {
  const Nanoseconds ran = attempt.ended_at - attempt.started;
  const Nanoseconds lost =
      checkpoint_interval > Nanoseconds{0} ? ran - checkpoint_interval * (ran / checkpoint_interval) : ran;
  // Where nothing but the restart is lost it lies over all that has run: it must lie somewhere.
  TransferRecord record = transfer_of(
      book, attempt, user, attempt.ended_at - (lost > Nanoseconds{0} ? lost : ran), attempt.ended_at);
  record.kind = TransferKind::kPreemptionCredit;
  if (ran <= Nanoseconds{0}) return record;
  const std::int64_t milliseconds = (lost + restart).count() / kMillisecond;
  record.price = MicroEuros{
      -price_of(prices, record, attempt.gpu_milli * milliseconds, attempt.cpu_milli * milliseconds).count()};
  return record;
}

std::int64_t price_rate(const Book& book, const Prices& prices, const AttemptRecord& attempt) {
  const auto plan = prices.find(book.price_plan(attempt.tenant));
  if (plan == prices.end()) return 0;
  return plan->second.of_gpu(attempt.gpu_type).count() * attempt.gpu_milli +
         plan->second.per_core_hour.count() * attempt.cpu_milli;
}

}  // namespace gw::live
