// No link carries more than it can, everyone who gets less has a full link to blame, and nobody gains by
// others.
#include "physics/fair_share.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gw::physics {
namespace {

struct Network {
  std::vector<std::vector<LinkUse>> flows;
  std::vector<double> capacities;
};

Network any_network() {
  Network network;
  const std::size_t links = *rc::gen::inRange<std::size_t>(1, 7);
  for (std::size_t at = 0; at < links; ++at) network.capacities.push_back(*rc::gen::inRange(1, 100));
  const std::size_t flows = *rc::gen::inRange<std::size_t>(0, 9);
  for (std::size_t at = 0; at < flows; ++at) {
    std::vector<LinkUse>& uses = network.flows.emplace_back();
    for (std::uint32_t link = 0; link < links; ++link) {
      if (*rc::gen::inRange(0, 2) == 1) uses.push_back({link, double{1} * *rc::gen::inRange(1, 60)});
    }
  }
  return network;
}

std::vector<double> loads(const Network& network, const std::vector<double>& shares) {
  std::vector<double> loads(network.capacities.size());
  for (std::size_t flow = 0; flow < network.flows.size(); ++flow) {
    for (const LinkUse& use : network.flows[flow]) loads[use.link] += use.load * shares[flow];
  }
  return loads;
}

/// The same by a look at every link for each that fills.
std::vector<double> slow_shares(const Network& network) {
  const std::size_t links = network.capacities.size();
  std::vector<double> growing(links), fixed(links), shares(network.flows.size(), 1);
  std::vector<bool> is_fixed(network.flows.size());
  for (const std::vector<LinkUse>& flow : network.flows) {
    for (const LinkUse& use : flow) growing[use.link] += use.load;
  }
  for (;;) {
    std::size_t tightest = links;
    double level = 1;
    for (std::size_t at = 0; at < links; ++at) {
      if (growing[at] <= 0) continue;
      const double fills = std::max(0.0, network.capacities[at] - fixed[at]) / growing[at];
      if (fills < level) {
        level = fills;
        tightest = at;
      }
    }
    if (tightest == links) return shares;
    for (std::size_t flow = 0; flow < network.flows.size(); ++flow) {
      const bool on_link =
          std::ranges::any_of(network.flows[flow], [&](const LinkUse& use) { return use.link == tightest; });
      if (!on_link || is_fixed[flow]) continue;
      is_fixed[flow] = true;
      shares[flow] = level;
      for (const LinkUse& use : network.flows[flow]) {
        growing[use.link] -= use.load;
        fixed[use.link] += use.load * level;
      }
    }
    growing[tightest] = 0;
  }
}

/// Leaves below halls, with loads that make sums inexact.
Network any_tree() {
  Network network;
  const std::uint32_t leaves = *rc::gen::inRange(1, 40), halls = 1 + leaves / 8;
  for (std::uint32_t at = 0; at < leaves + halls; ++at)
    network.capacities.push_back(*rc::gen::inRange(1, 300) / 7.0);
  const int flows = *rc::gen::inRange(0, 120);
  for (int flow = 0; flow < flows; ++flow) {
    std::vector<LinkUse>& uses = network.flows.emplace_back();
    const std::uint32_t first = *rc::gen::inRange<std::uint32_t>(0, leaves);
    const std::uint32_t end = std::min(leaves, first + 1 + *rc::gen::inRange<std::uint32_t>(0, 5));
    const double load = *rc::gen::inRange(1, 100) / 3.0;
    for (std::uint32_t leaf = first; leaf < end; ++leaf) uses.push_back({leaf, load});
    for (std::uint32_t hall = first / 8; hall <= (end - 1) / 8 && first / 8 != (end - 1) / 8; ++hall)
      uses.push_back({leaves + hall, 2 * load});
  }
  return network;
}

RC_GTEST_PROP(MaxMin, EqualsTheSlowWayBitForBit, ()) {
  const Network network = *rc::gen::arbitrary<bool>() ? any_tree() : any_network();
  RC_ASSERT(max_min_shares(network.flows, network.capacities) == slow_shares(network));
}

RC_GTEST_PROP(FairShares, AreThoseOfTheFlowsThatAreThereBitForBit, ()) {
  const Network network = *rc::gen::arbitrary<bool>() ? any_tree() : any_network();
  const auto flows = static_cast<std::uint32_t>(network.flows.size());
  FairShares shares(network.capacities);
  constexpr std::uint32_t kGone = ~0U;
  std::vector<std::uint32_t> number(flows, kGone);
  std::vector<double> told(flows, 1);
  for (int look = 0; look < 24 && flows > 0; ++look) {
    const int changes = *rc::gen::inRange(0, look == 0 ? 100 : 6);
    for (int change = 0; change < changes; ++change) {
      const std::uint32_t flow = *rc::gen::inRange<std::uint32_t>(0, flows);
      told[flow] = 1;
      if (number[flow] != kGone) {
        shares.remove(number[flow]);
        number[flow] = kGone;
      } else {
        number[flow] = shares.add(flow, network.flows[flow]);
      }
    }
    for (const std::uint32_t each : shares.settle()) told[shares.order(each)] = shares.share(each);
    Network there{{}, network.capacities};
    for (std::uint32_t flow = 0; flow < flows; ++flow) {
      if (number[flow] != kGone) there.flows.push_back(network.flows[flow]);
    }
    const std::vector<double> all = slow_shares(there);
    std::size_t at = 0;
    for (std::uint32_t flow = 0; flow < flows; ++flow) {
      if (number[flow] == kGone) continue;
      RC_ASSERT(shares.share(number[flow]) == all[at]);
      RC_ASSERT(told[flow] == all[at]);  // Whoever's share is another has been named.
      ++at;
    }
  }
}

RC_GTEST_PROP(MaxMin, NoLinkCarriesMoreThanItCan, ()) {
  const Network network = any_network();
  const std::vector<double> shares = max_min_shares(network.flows, network.capacities);
  const std::vector<double> load = loads(network, shares);
  for (std::size_t link = 0; link < load.size(); ++link)
    RC_ASSERT(load[link] <= network.capacities[link] * (1 + 1e-12));
}

RC_GTEST_PROP(MaxMin, WhoGetsLessCrossesAFullLinkWhereNobodyGetsMore, ()) {
  const Network network = any_network();
  const std::vector<double> shares = max_min_shares(network.flows, network.capacities);
  const std::vector<double> load = loads(network, shares);
  for (std::size_t flow = 0; flow < shares.size(); ++flow) {
    RC_ASSERT(shares[flow] > 0 && shares[flow] <= 1);
    if (shares[flow] == 1) continue;
    const bool blamed = std::ranges::any_of(network.flows[flow], [&](const LinkUse& use) {
      if (load[use.link] < network.capacities[use.link] * (1 - 1e-9)) return false;
      for (std::size_t other = 0; other < shares.size(); ++other) {
        const bool on_link = std::ranges::any_of(network.flows[other],
                                                 [&](const LinkUse& each) { return each.link == use.link; });
        if (on_link && shares[other] > shares[flow] * (1 + 1e-12)) return false;
      }
      return true;
    });
    RC_ASSERT(blamed);
  }
}

RC_GTEST_PROP(MaxMin, WithoutAFlowTheLeastShareIsNoSmaller, ()) {
  Network network = any_network();
  if (network.flows.empty()) return;
  const std::size_t gone = *rc::gen::inRange<std::size_t>(0, network.flows.size());
  std::vector<double> before = max_min_shares(network.flows, network.capacities);
  before.erase(before.begin() + static_cast<std::ptrdiff_t>(gone));
  network.flows.erase(network.flows.begin() + static_cast<std::ptrdiff_t>(gone));
  const std::vector<double> after = max_min_shares(network.flows, network.capacities);
  if (before.empty()) return;
  RC_ASSERT(std::ranges::min(after) >= std::ranges::min(before) * (1 - 1e-12));
}

TEST(MaxMin, TheTextbooksExample) {
  // Three flows on a link of 30, one of them also on one of 4: it gets 4, the others 13 each.
  const std::vector<std::vector<LinkUse>> flows = {{{0, 20}}, {{0, 20}}, {{0, 20}, {1, 20}}};
  const std::vector<double> shares = max_min_shares(flows, std::vector<double>{30, 4});
  EXPECT_DOUBLE_EQ(shares[0], 13.0 / 20);
  EXPECT_DOUBLE_EQ(shares[1], 13.0 / 20);
  EXPECT_DOUBLE_EQ(shares[2], 4.0 / 20);
}

}  // namespace
}  // namespace gw::physics
