// Credits, and parts of transfers in both directions.
#include "live/ledger.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace gw::live {
namespace {

TEST(Ledger, PartsOfACreditAddUpToIt) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    TransferRecord transfer;
    transfer.from = Instant{rng.between(0, 1'000'000)};
    transfer.to = transfer.from + Nanoseconds{rng.between(1, 1'000'000)};
    transfer.price = MicroEuros{rng.between(-1'000'000, 1'000'000)};
    Instant at = transfer.from;
    std::int64_t sum = 0;
    while (at < transfer.to) {
      const Instant next = at + Nanoseconds{rng.between(1, 400'000)};
      sum += part_of(transfer, at, next).price.count();
      at = next;
    }
    EXPECT_EQ(sum, transfer.price.count());
  }
}

TEST(Ledger, WhatIsLostIsGivenBack) {
  Book book;
  TenantRecord root;
  root.id = TenantId{0};
  book.add_tenant(root);
  Prices prices;
  prices["default"].per_other_gpu_hour = MicroEuros{3'600'000};  // A thousand micro-euros a GPU-second.
  AttemptRecord attempt;
  attempt.tenant = TenantId{0};
  attempt.gpu_milli = 2000;
  attempt.started = Instant{} + seconds(100);
  attempt.ended_at = attempt.started + seconds(250);
  const auto credit = [&](std::int64_t interval_s, std::int64_t restart_s) {
    return credit_of(book, prices, attempt, "ann", seconds(interval_s), seconds(restart_s));
  };
  EXPECT_EQ(credit(0, 0).price.count(), -500'000);  // It keeps no checkpoints.
  EXPECT_EQ(credit(100, 0).price.count(), -100'000);
  EXPECT_EQ(credit(100, 0).from, attempt.ended_at - seconds(50));
  EXPECT_EQ(credit(100, 30).price.count(), -160'000);
  EXPECT_EQ(credit(1000, 0).price.count(), -500'000);  // It has not come to one.
  // Nothing but the restart: it lies over the time that it ran, so that no report loses it.
  EXPECT_EQ(credit(50, 30).price.count(), -60'000);
  EXPECT_EQ(credit(50, 30).from, attempt.started);
  attempt.ended_at = attempt.started;
  EXPECT_EQ(credit(0, 30).price.count(), 0);  // It never ran.
}

}  // namespace
}  // namespace gw::live
