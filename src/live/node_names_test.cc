// Names of nodes and of parts of the factory, and what is said where a name is none.
#include "live/node_names.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw::live {
namespace {

using ::testing::HasSubstr;

/// Munich: hall a with 2 rows of 2 racks of 2 nodes, hall b with 1 row of 2 racks of 2 nodes.
Book munich() {
  Book book;
  book.fleet = flat_fleet(12, 8);
  const auto level = [&](const char* name, std::vector<std::uint32_t> first,
                         std::vector<std::string> names = {}) {
    const std::size_t vertices = first.size() - 1;
    book.fleet.feed.push_back(
        {Partition{name, std::move(first)}, std::vector<Milliwatts>(vertices), std::move(names)});
  };
  level("rack", {0, 2, 4, 6, 8, 10, 12});
  level("row", {0, 4, 8, 12});
  level("hall", {0, 8, 12}, {"ug3", "ug5"});
  level("site", {0, 12}, {"munich"});
  book.index_fleet();
  return book;
}

std::string said(const Book& book, std::string_view name) {
  const std::expected<NamedNodes, Refusal> found = nodes_named(book, name);
  if (!found) return found.error().message;
  return fmt::format("{} {} from {}", found->name, found->nodes.size(), found->nodes.front().value());
}

TEST(NodeNames, ANodeOrAllOfAPart) {
  const Book book = munich();
  EXPECT_EQ(said(book, "munich/ug3/row-02/rack-01/node-2"), "munich/ug3/row-02/rack-01/node-2 1 from 5");
  EXPECT_EQ(said(book, "munich/ug3/row-02/rack-01"), "munich/ug3/row-02/rack-01 2 from 4");
  EXPECT_EQ(said(book, "munich/ug3/row-02/"), "munich/ug3/row-02 4 from 4");
  EXPECT_EQ(said(book, "munich"), "munich 12 from 0");
}

TEST(NodeNames, AnEndThatOnlyOneHas) {
  const Book book = munich();
  EXPECT_EQ(said(book, "ug5"), "munich/ug5 4 from 8");
  EXPECT_EQ(said(book, "row-02"), "munich/ug3/row-02 4 from 4");  // Hall ug5 has one row.
  EXPECT_EQ(said(book, "row-02/rack-02/node-1"), "munich/ug3/row-02/rack-02/node-1 1 from 6");
  EXPECT_EQ(said(book, "ug5/row-01/rack-02"), "munich/ug5/row-01/rack-02 2 from 10");
}

TEST(NodeNames, WhatSeveralAreCalledIsNotGuessed) {
  const Book book = munich();
  EXPECT_EQ(said(book, "row-01"),
            "row-01 is called so more than once: munich/ug3/row-01, munich/ug5/row-01; write more of its "
            "name");
  EXPECT_THAT(said(book, "rack-01"), HasSubstr("munich/ug3/row-01/rack-01, munich/ug3/row-02/rack-01, "
                                               "munich/ug5/row-01/rack-01; write more"));
  EXPECT_THAT(said(book, "node-1"), HasSubstr(" and 3 more"));
}

TEST(NodeNames, WhatIsNothingSaysWhatMayBeMeant) {
  const Book book = munich();
  EXPECT_EQ(nodes_named(book, "munch").error().code, "unknown_node");
  EXPECT_THAT(said(book, "munch"), HasSubstr("; did you mean munich?"));
  EXPECT_THAT(said(book, "munich/ug3/rwo-02/rack-01"),
              HasSubstr("; did you mean munich/ug3/row-02/rack-01?"));
  EXPECT_THAT(said(book, "munich/ug4/row-01"), HasSubstr("; munich holds ug3 and ug5"));
  EXPECT_THAT(said(book, "munich/ug3/row-17/rack-01"), HasSubstr("; munich/ug3 holds row-01 and row-02"));
  EXPECT_THAT(said(book, "munich/ug3/shelf"), HasSubstr("; munich/ug3 holds row-01 and row-02"));
  EXPECT_THAT(said(book, "elsewhere"), HasSubstr("; gw nodes lists them"));
  EXPECT_THAT(said(book, ""), HasSubstr("there is no node"));
  EXPECT_THAT(said(book, "ack-01"), HasSubstr("there is no node"));  // A whole name, not a part of one.
}

TEST(NodeNames, NodesWithNamesOfTheirOwnHaveFeedsToo) {
  Book book = munich();
  for (std::uint32_t node = 0; node < 12; ++node)
    book.fleet.node_names.push_back(fmt::format("gpu{:02}", node));
  book.index_fleet();
  EXPECT_EQ(said(book, "gpu07"), "gpu07 1 from 7");
  EXPECT_EQ(said(book, "row-02/rack-01"), "munich/ug3/row-02/rack-01 2 from 4");
  EXPECT_THAT(said(book, "gpu77"), HasSubstr("; gw nodes lists them"));
}

}  // namespace
}  // namespace gw::live
