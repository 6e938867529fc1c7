// Owned: copies are apart from what they were copied from, and assignment uses the object that is there.
#include "base/owned.h"

#include <gtest/gtest.h>

#include <vector>

namespace gw {
namespace {

TEST(Owned, ACopyHasAnObjectOfItsOwn) {
  Owned<std::vector<int>> first = make_owned<std::vector<int>>(3, 7);
  const Owned<std::vector<int>> copy = first;
  (*first)[0] = 1;
  EXPECT_EQ(*copy, (std::vector<int>{7, 7, 7}));
  EXPECT_EQ(*first, (std::vector<int>{1, 7, 7}));
}

TEST(Owned, AssignmentKeepsTheObjectOfTheAssigned) {
  const Owned<int> from = make_owned<int>(5);
  Owned<int> to = make_owned<int>(1);
  const int* const object = &*to;
  to = from;
  EXPECT_EQ(*to, 5);
  EXPECT_EQ(&*to, object);
  EXPECT_NE(&*from, object);
}

TEST(Owned, OneWithoutAnObjectIsCopiedToo) {
  const Owned<int> none;
  const Owned<int> some = make_owned<int>(2);
  Owned<int> to = none;
  to = some;
  EXPECT_EQ(*to, 2);
  EXPECT_NE(&*to, &*some);
  to = none;
  to = some;
  EXPECT_EQ(*to, 2);
  Owned<int> moved = std::move(to);
  to = moved;  // What was moved from takes an object of its own again.
  EXPECT_EQ(*to, 2);
}

}  // namespace
}  // namespace gw
