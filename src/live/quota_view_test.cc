// Shares that can be checked by hand.
#include "live/quota_view.h"

#include <gtest/gtest.h>

namespace gw::live {
namespace {

/// A book of one pool of GPUs whose tenants ask for and use what a test says.
class QuotaViewTest : public testing::Test {
 protected:
  QuotaViewTest() {
    book.fleet = flat_fleet(10, 10);
    book.core = std::make_unique<sched::Core>(book.fleet, *policy_by_name("gigawerk"));
    TenantRecord root;
    root.id = TenantId{0};
    book.add_tenant(root);
  }
  TenantId add(TenantId parent, std::int64_t guaranteed, std::int64_t used, std::int64_t waiting,
               std::uint32_t weight = 1, std::int64_t lend = -1) {
    TenantRecord record;
    record.id = TenantId{static_cast<std::uint32_t>(book.tenants.size())};
    record.parent = parent;
    record.name = std::to_string(record.id.value());
    record.weight = weight;
    book.add_tenant(record);
    book.core->apply(sched::Event::tenant_added(parent, weight), Instant{});
    if (guaranteed > 0 || lend >= 0) {
      QuotaTerms terms;
      terms.guaranteed_milli = guaranteed * 1000;
      terms.lend_milli = lend < 0 ? -1 : lend * 1000;
      book.core->apply(sched::Event::tenant_quota(record.id, kAllGpus, terms), Instant{});
    }
    for (TenantId at = record.id; at.valid(); at = book.tenants[at.value()].record.parent) {
      book.tenants[at.value()].running_milli += used * 1000;
      book.tenants[at.value()].gpu_milli += (used + waiting) * 1000;
    }
    for (std::int64_t job = 0; job < used; ++job) {
      JobRequest request;
      request.shape.gpus = 1;
      request.tenant = record.id;
      request.limit = hours(1);
      request.preemptible = true;
      book.core->apply(sched::Event::job_submitted(JobId{book.core->state().next_job}, request), Instant{});
    }
    book.core->plan(Instant{});
    return record.id;
  }
  QuotaStanding at(TenantId id) { return quota_standings(book, kAllGpus)[id.value()]; }
  Book book;
};

TEST_F(QuotaViewTest, WhatNobodyIsGuaranteedIsSharedByWeightAmongThoseWhoAsk) {
  const TenantId large = add(TenantId{0}, 0, 10, 200, 3), small = add(TenantId{0}, 0, 10, 200, 1);
  const TenantId modest = add(TenantId{0}, 0, 10, 10, 1), idle = add(TenantId{0}, 0, 0, 0, 5);
  EXPECT_EQ(at(modest).deserved, 20'000);  // All that it asks for, which is no more than its share.
  EXPECT_EQ(at(large).deserved, 60'000);
  EXPECT_EQ(at(small).deserved, 20'000);
  EXPECT_EQ(at(idle).deserved, 0);
}

TEST_F(QuotaViewTest, GuaranteesComeFirstAndIdleOnesAreLent) {
  const TenantId owner = add(TenantId{0}, 50, 10, 5), keeper = add(TenantId{0}, 30, 0, 0, 1, 10);
  const TenantId guest = add(TenantId{0}, 0, 60, 100);
  EXPECT_EQ(at(owner).deserved, 50'000);
  EXPECT_EQ(at(owner).owed, 5'000);
  EXPECT_EQ(at(keeper).deserved, 30'000);
  // 100 less 15 that the owner needs, less 20 that the keeper does not lend.
  EXPECT_EQ(at(guest).deserved, 65'000);
  EXPECT_EQ(at(guest).borrowed, 60'000);
  // 20 of its 60 are nobody's; 40 are lent by those with 40 and 10 to lend.
  EXPECT_EQ(at(owner).lent, 32'000);
  EXPECT_EQ(at(keeper).lent, 8'000);
}

TEST_F(QuotaViewTest, BelowATenantWhatItDeservesIsDivided) {
  const TenantId top = add(TenantId{0}, 40, 0, 0);
  const TenantId lab = add(top, 10, 0, 5), project = add(top, 0, 20, 100);
  add(TenantId{0}, 0, 0, 100);
  // Guaranteed 40, and half of the other 60.
  EXPECT_EQ(at(top).deserved, 70'000);
  EXPECT_EQ(at(lab).deserved, 10'000);
  EXPECT_EQ(at(lab).owed, 5'000);
  EXPECT_EQ(at(project).deserved, 65'000);
}

}  // namespace
}  // namespace gw::live
