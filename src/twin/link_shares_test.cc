// Shares after any comings and goings are those that all flows together would get, and no link is overloaded.
#include "twin/link_shares.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

namespace gw::twin {
namespace {

RC_GTEST_PROP(LinkShares, AreThoseOfAllFlowsTogetherAfterEachChange, ()) {
  const std::size_t links = *rc::gen::inRange<std::size_t>(1, 8);
  std::vector<double> capacities;
  for (std::size_t at = 0; at < links; ++at) capacities.push_back(*rc::gen::inRange(10, 200));
  LinkShares shares(capacities);
  std::map<JobId, std::vector<physics::LinkUse>> there;
  std::map<JobId, std::uint32_t> told;
  std::uint32_t next = 0;
  const int changes = *rc::gen::inRange(1, 30);
  for (int change = 0; change < changes; ++change) {
    const int at_once = *rc::gen::inRange(1, 4);
    for (int each = 0; each < at_once; ++each) {
      if (!there.empty() && *rc::gen::inRange(0, 3) == 0) {
        const auto gone = std::next(there.begin(), *rc::gen::inRange<int>(0, static_cast<int>(there.size())));
        shares.remove(gone->first);
        told.erase(gone->first);
        there.erase(gone);
        continue;
      }
      const JobId job{next++};
      std::vector<physics::LinkUse> uses;
      for (std::uint32_t link = 0; link < links; ++link) {
        if (*rc::gen::inRange(0, 2) == 1) uses.push_back({link, double{1} * *rc::gen::inRange(1, 90)});
      }
      shares.add(job, uses);
      told[job] = 1000;
      there[job] = std::move(uses);
    }
    for (const LinkShares::Change& made : shares.settle()) {
      RC_ASSERT(told.contains(made.job));
      told[made.job] = made.share;
    }
    std::vector<std::vector<physics::LinkUse>> flows;
    for (const auto& [job, uses] : there) flows.push_back(uses);
    const std::vector<double> all = physics::max_min_shares(flows, capacities);
    std::size_t at = 0;
    for (const auto& [job, uses] : there) {
      RC_ASSERT(told[job] == std::max<std::uint32_t>(1, static_cast<std::uint32_t>(all[at] * 1000)));
      ++at;
    }
    for (std::uint32_t link = 0; link < links; ++link)
      RC_ASSERT(shares.load(link) <=
                capacities[link] * (1 + 1e-9) + 0.1);  // The least share is a thousandth.
  }
}

TEST(LinkShares, AJobWithoutOthersIsToldNothing) {
  LinkShares shares({100, 100});
  shares.add(JobId{1}, {{0, 60}});
  EXPECT_TRUE(shares.settle().empty());
  shares.add(JobId{2}, {{0, 60}, {1, 10}});
  ASSERT_EQ(shares.settle().size(), 2U);
  EXPECT_EQ(shares.settle().size(), 0U);
  shares.remove(JobId{1});
  const std::vector<LinkShares::Change> freed = shares.settle();
  ASSERT_EQ(freed.size(), 1U);
  EXPECT_EQ(freed[0].job, JobId{2});
  EXPECT_EQ(freed[0].share, 1000U);
}

}  // namespace
}  // namespace gw::twin
