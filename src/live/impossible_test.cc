// What a reservation could never hold, and the part of a fleet that it is.
#include "live/impossible.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw::live {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Racks of two nodes: four nodes with 8 GPUs of type a, then four with 4 of type b.
Fleet two_kinds() {
  Fleet fleet = flat_fleet(8, 8);
  fleet.gpu_types.resize(2);
  fleet.gpu_types[0].name = "a";
  fleet.gpu_types[1].name = "b";
  fleet.node_types[0].gpu_type = 0;
  fleet.node_types.push_back(fleet.node_types[0]);
  fleet.node_types[1].gpu_type = 1;
  fleet.node_types[1].gpus = 4;
  fleet.node_type_of = {0, 0, 0, 0, 1, 1, 1, 1};
  fleet.fabric.insert(fleet.fabric.begin(), Partition{"rack", {0, 2, 4, 6, 8}});
  return fleet;
}

class Reserved : public ::testing::Test {
 protected:
  void SetUp() override {
    terms_.from = at(10);
    terms_.length = hours(8);
    terms_.nodes = {{NodeId{1}, 3}};
    request_.shape.nodes = 1;
    request_.shape.gpus = 8;
    request_.limit = hours(1);
  }
  static Instant at(int hour) { return Instant{} + hours(hour); }

  /// Empty: it may run.
  [[nodiscard]] std::string why(Instant earliest = Instant{}) const {
    const std::optional<Refusal> refusal =
        outside_reservation("demo-day", terms_, request_, earliest, fleet_, {}, {});
    return refusal ? refusal->code + ": " + refusal->message : "";
  }

  Fleet fleet_ = two_kinds();
  WindowTerms terms_;
  JobRequest request_;
};

TEST_F(Reserved, APartKeepsWhatIsLeftOfTheFabric) {
  const Fleet part = part_of_fleet(fleet_, {{NodeId{1}, 2}, {NodeId{4}, 2}});
  EXPECT_EQ(check_fleet(part), "");
  EXPECT_THAT(part.node_type_of, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(part.fabric[0].first, ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(part.fabric[1].first, ElementsAre(0, 4));
}

TEST_F(Reserved, WhatFitsIntoItMayWait) {
  EXPECT_EQ(why(), "");
  request_.shape.nodes = 3;
  request_.limit = hours(8);
  EXPECT_EQ(why(), "");
  EXPECT_EQ(why(at(10)), "");
}

TEST_F(Reserved, MoreNodesThanItHasAreRefused) {
  request_.shape.nodes = 4;
  EXPECT_EQ(why(), "reservation_too_small: 4 nodes are asked for; reservation demo-day has 3 of one kind");
}

TEST_F(Reserved, OtherGpusThanItHasAreRefused) {
  request_.shape.gpus = 4;
  request_.shape.gpu_types = 2;
  EXPECT_EQ(why(),
            "reservation_too_small: reservation demo-day has no node with a GPU of the types asked for (b)");
}

TEST_F(Reserved, ARackThatItHasOnlyPartlyIsNoRack) {
  request_.shape.nodes = 2;
  request_.shape.level = 0;
  request_.shape.level_required = true;
  EXPECT_EQ(why(), "");  // Nodes 2 and 3.
  terms_.nodes = {{NodeId{1}, 2}};
  EXPECT_THAT(why(), HasSubstr("no \"rack\" of reservation demo-day is large enough"));
}

TEST_F(Reserved, ALongerLimitThanItLastsIsRefused) {
  request_.limit = hours(10);
  EXPECT_EQ(why(),
            "reservation_too_short: the job's limit is 10h; reservation demo-day lasts 8h: ask for at most "
            "that (--time)");
  request_.limit = hours(6);
  EXPECT_EQ(why(at(12)), "");
  EXPECT_THAT(why(at(13)), HasSubstr("lasts 5h from then on"));
  EXPECT_THAT(why(at(18)), HasSubstr("is over before this job may begin"));
  terms_.every = hours(24);  // The next time is whole again.
  EXPECT_EQ(why(at(13)), "");
  terms_.until = at(11);  // There is no next time.
  EXPECT_THAT(why(at(13)), HasSubstr("lasts 5h from then on"));
}

}  // namespace
}  // namespace gw::live
