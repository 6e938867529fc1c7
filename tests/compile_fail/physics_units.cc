// Misuse of the amounts of physics that must not compile; check.sh compiles each case.
#include "physics/units.h"

namespace gw::physics {

Watts power{1};
Seconds time{1};
WattHours energy{1};
Celsius outside{1};
DataBytes size{1};
BytesPerSecond rate{1};
CarbonIntensity grid{1};

void use() {
  [[maybe_unused]] const WattHours used = power * time;
  [[maybe_unused]] const Watts mean = energy / time;
  [[maybe_unused]] const Seconds transfer = size / rate;
  [[maybe_unused]] const CarbonGrams emitted = energy * grid;
  [[maybe_unused]] const double share = power / power;
#if CASE == 1  // Power and time do not add.
  (void)(power + time);
#elif CASE == 2   // Energy is not power.
  power = energy;
#elif CASE == 3   // A number does not become a power by itself.
  Watts implicit = 700;
#elif CASE == 4   // A power does not become a number by itself.
  double raw = power;
#elif CASE == 5   // A temperature and a power do not compare.
  (void)(outside < power);
#elif CASE == 6   // The product of two powers means nothing.
  (void)(power * power);
#elif CASE == 7   // Carbon comes of energy, not of power.
  (void)(power * grid);
#elif CASE == 8   // A size over a time is a rate, not a time.
  Seconds wrong = size / time;
#elif CASE == 9   // The core's integer power enters by name.
  power = Milliwatts{1};
#elif CASE == 10  // And physics enters the core by name, rounded.
  Milliwatts core = power;
#elif CASE == 11  // Time over a rate means nothing.
  (void)(time / rate);
#endif
}

}  // namespace gw::physics
