// Distances, transfers and radio-edge sites: known values, limits, and that more is never less.
#include "physics/wide_area.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "physics/edge_site.h"
#include "physics/multi_site.h"

namespace gw::physics {
namespace {

FibreLink link_of(double km, double gbit_s, double loss = 0) {
  FibreLink link;
  link.route = Kilometres{km};
  link.rate = gigabits_per_second(gbit_s);
  link.loss = loss;
  return link;
}

TEST(WideArea, DistancesOfKnownPlaces) {
  const Place munich{48.137, 11.575};
  const Place paris{48.857, 2.352};
  const Place sydney{-33.869, 151.209};
  EXPECT_NEAR(great_circle(munich, paris).value(), 685, 5);
  EXPECT_NEAR(great_circle(paris, sydney).value(), 16960, 40);
  EXPECT_NEAR(great_circle({0, 0}, {0, 180}).value(), 20015, 1);
  EXPECT_EQ(great_circle(munich, munich).value(), 0);
}

TEST(WideArea, RoundTripOfThousandKilometresOfFibreIsTenMilliseconds) {
  EXPECT_NEAR(link_of(1000, 100).round_trip().value(), 10.0e-3, 0.1e-3);
}

TEST(WideArea, RoutesFollowG826) {
  EXPECT_EQ(route_length(Kilometres{400}).value(), 600);
  EXPECT_EQ(route_length(Kilometres{1100}).value(), 1500);
  EXPECT_EQ(route_length(Kilometres{2000}).value(), 2500);
}

TEST(WideArea, OneStreamIsHeldByItsWindowAndManyByTheLink) {
  const FibreLink link = link_of(2000, 400);
  const DataBytes window{64.0 * 1024 * 1024};
  EXPECT_NEAR(throughput(link, {1, window}).value(), window.value() / link.round_trip().value(), 1);
  const double enough = streams_to_fill(link, window);
  EXPECT_EQ(throughput(link, {enough, window}), link.goodput());
  EXPECT_LT(throughput(link, {enough - 1, window}), link.goodput());
}

TEST(WideArea, LossHoldsLongPathsAsRfc9438HasIt) {
  // RFC 9438, equation 6: at 0.1 s and a loss of 1e-4 CUBIC keeps 1.054 (0.1 / 1e-4)^0.75 = 187.4 packets.
  FibreLink link = link_of(0, 1000, 1e-4);
  link.equipment = Seconds{0.05};
  link.packet_payload = 1448;
  const double packets = throughput(link, {1, DataBytes{1e12}}).value() * 0.1 / 1448;
  EXPECT_NEAR(packets, 187, 2);
}

TEST(WideArea, TransfersTakeAtLeastTheWireAndLittleMore) {
  const FibreLink link = link_of(1500, 100);
  const Streams streams{16, DataBytes{64.0 * 1024 * 1024}};
  const DataBytes large{1e14};
  const double wire = (large / link.goodput()).value();
  EXPECT_GT(transfer_time(link, streams, large).value(), wire);
  EXPECT_LT(transfer_time(link, streams, large).value(), wire * 1.001);
  // A request of a packet is a round trip.
  EXPECT_NEAR(transfer_time(link, streams, DataBytes{100}).value(), link.round_trip().value(), 1e-3);
}

TEST(WideArea, StorageHoldsStagingUpWhereItIsSlower) {
  const FibreLink link = link_of(500, 400);
  const Streams streams{64, DataBytes{64.0 * 1024 * 1024}};
  const DataBytes size{1e15};
  const Seconds free = staging_time(link, streams, {}, size);
  EXPECT_EQ(staging_time(link, streams, {BytesPerSecond{1e12}, BytesPerSecond{1e12}}, size), free);
  EXPECT_NEAR(staging_time(link, streams, {BytesPerSecond{1e12}, BytesPerSecond{1e10}}, size).value(), 1e5,
              1);
}

TEST(WideArea, ReplicationThatFallsBehindSaysSo) {
  const FibreLink link = link_of(500, 100);
  const Streams streams{64, DataBytes{64.0 * 1024 * 1024}};
  const DataBytes checkpoint{5e12};
  EXPECT_LT(replicate(link, streams, checkpoint, 1, Seconds{1800}).busy, 1);
  EXPECT_GT(replicate(link, streams, checkpoint, 8, Seconds{1800}).busy, 1);
  const Replication one = replicate(link, streams, checkpoint, 1, Seconds{1800});
  EXPECT_NEAR(in_gigabits_per_second(one.needed), 5e12 * 8 / 1800 / 1e9, 1e-6);
  EXPECT_EQ(one.exposed, Seconds{1800} + one.copy);
}

TEST(WideArea, NewConnectionsCostTwoRoundTripsMore) {
  const FibreLink link = link_of(3000, 100);
  const Seconds open = inference_round_trip(link, DataBytes{1e4}, Seconds{0.2}, false).first_token;
  const Seconds fresh = inference_round_trip(link, DataBytes{1e4}, Seconds{0.2}, true).first_token;
  EXPECT_NEAR((fresh - open).value(), 2 * link.round_trip().value(), 1e-12);
}

RC_GTEST_PROP(WideAreaProperty, MoreBandwidthOrLessDistanceIsNeverSlower, ()) {
  const double km = *rc::gen::inRange(1, 20000);
  const double gbit = *rc::gen::inRange(1, 10000);
  const double loss = *rc::gen::element(0.0, 1e-9, 1e-6, 1e-3);
  const Streams streams{double(*rc::gen::inRange(1, 200)),
                        DataBytes{double(*rc::gen::inRange(1, 1000)) * 1e5}};
  const DataBytes size{double(*rc::gen::inRange(1, 1'000'000)) * 1e6};
  const Seconds time = transfer_time(link_of(km, gbit, loss), streams, size);
  const double slack = 1 + 1e-9;
  RC_ASSERT(time.value() * slack >= transfer_time(link_of(km, gbit * 1.5, loss), streams, size).value());
  RC_ASSERT(time.value() * slack >= transfer_time(link_of(km / 2, gbit, loss), streams, size).value());
  RC_ASSERT(time.value() * slack >= transfer_time(link_of(km, gbit, loss / 2), streams, size).value());
}

TEST(EdgeSite, TheRadioIsServedFirst) {
  const auto day = edge_day({.gpus = 100, .radio_peak = 80});
  for (const EdgeHour& hour : day) EXPECT_EQ(hour.radio + hour.left, 100);
  EXPECT_EQ(day[21].radio, 92);  // 80 and 15 % of headroom.
  EXPECT_GT(day[4].left, 80);
  EXPECT_EQ(day[21].unserved, 0);
  const auto small = edge_day({.gpus = 50, .radio_peak = 80});
  EXPECT_EQ(small[21].left, 0);
  EXPECT_EQ(small[21].unserved, 42);
  EXPECT_LT(left_of_day(small), left_of_day(day));
}

MultiSite two_sites(double gbit_s) {
  MultiSite run;
  run.parameters = 70e9;
  run.link = link_of(1000, gbit_s);
  return run;
}

TEST(MultiSite, OneSiteLosesNothing) {
  MultiSite run = two_sites(100);
  run.sites = 1;
  EXPECT_EQ(multi_site_time(run, Seconds{10}).lost, 0);
  EXPECT_EQ(least_rate(run, Seconds{10}, 0.01).value(), 0);
}

TEST(MultiSite, LeastRateLosesJustThat) {
  MultiSite run = two_sites(100);
  run.streams.count = 1e6;
  run.link.rate = least_rate(run, Seconds{10}, 0.02);
  EXPECT_NEAR(multi_site_time(run, Seconds{10}).lost, 0.02, 1e-9);
}

TEST(MultiSite, WithoutAWireEverythingIsLatency) {
  MultiSite run = two_sites(1e9);
  run.streams.count = 1e12;
  EXPECT_NEAR(multi_site_time(run, Seconds{10}).exchange.value(), 2 * run.link.one_way().value(), 1e-3);
}

RC_GTEST_PROP(MultiSiteProperty, RarerExchangesSmallerOnesAndOverlapNeverLoseMore, ()) {
  MultiSite run = two_sites(*rc::gen::inRange(1, 1000));
  run.sites = *rc::gen::inRange(2, 20);
  run.inner_steps = *rc::gen::inRange(1, 1000);
  run.overlap_steps = *rc::gen::inRange(0, 20);
  const Seconds step{double(*rc::gen::inRange(1, 100))};
  const double lost = multi_site_time(run, step).lost;
  RC_ASSERT(lost >= 0 && lost < 1);
  const auto lost_with = [&](auto change) {
    MultiSite other = run;
    change(other);
    return multi_site_time(other, step).lost;
  };
  RC_ASSERT(lost_with([](MultiSite& other) { other.inner_steps *= 2; }) <= lost);
  RC_ASSERT(lost_with([](MultiSite& other) { other.bytes_per_parameter /= 2; }) <= lost);
  RC_ASSERT(lost_with([](MultiSite& other) { other.overlap_steps += 1; }) <= lost);
  RC_ASSERT(lost_with([](MultiSite& other) { other.link.rate = other.link.rate * 2; }) <= lost);
}

}  // namespace
}  // namespace gw::physics
