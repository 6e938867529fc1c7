// Misuse of units and identifiers that must not compile; check.sh compiles each case.
#include "base/units.h"

#include "base/ids.h"

namespace gw {

Milliwatts power{1};
Nanoseconds span{1};
Instant now{1};
std::int64_t raw = 1;
JobId job{1};
NodeId node{1};

void use() {
  [[maybe_unused]] const Nanoseconds sum = span + span;
  [[maybe_unused]] const Instant later = now + span;
  [[maybe_unused]] const Nanoseconds between = later - now;
#if CASE == 1  // Two dimensions do not add.
  (void)(power + span);
#elif CASE == 2   // Two instants do not add.
  (void)(now + now);
#elif CASE == 3   // A number does not become a quantity by itself.
  Milliwatts implicit = 5;
#elif CASE == 4   // A quantity does not become a number by itself.
  std::int64_t count = span;
#elif CASE == 5   // Dimensions do not compare.
  (void)(power < span);
#elif CASE == 6   // An instant and a span do not compare.
  (void)(now < span);
#elif CASE == 7   // The product of two powers means nothing.
  (void)(power * power);
#elif CASE == 8   // A quantity and a number do not add.
  (void)(power + raw);
#elif CASE == 9   // One kind of id is not another.
  node = job;
#elif CASE == 10  // Ids of different kinds do not compare.
  (void)(node == job);
#elif CASE == 11  // A number does not become an id by itself.
  job = 7;
#elif CASE == 12  // A span minus an instant means nothing.
  (void)(span - now);
#endif
}

}  // namespace gw
