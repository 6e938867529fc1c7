// EndProfile against a sorted list, under random inserts and erases.
#include "sched/end_profile.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace gw::sched {
namespace {

using Row = std::tuple<std::int64_t, std::uint32_t, std::uint32_t>;  // end, job, amount

EndProfile::Answer naive_reaches(const std::vector<Row>& rows, std::int64_t free, std::int64_t need) {
  for (std::size_t at = 0; at < rows.size(); ++at) {
    free += std::get<2>(rows[at]);
    const bool last_of_instant = at + 1 == rows.size() || std::get<0>(rows[at + 1]) != std::get<0>(rows[at]);
    if (free >= need && last_of_instant) return {Instant{std::get<0>(rows[at])}, free};
  }
  return {Instant::max(), free};
}

TEST(EndProfile, AgreesWithASortedList) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    EndProfile profile;
    std::vector<Row> rows;
    std::uint32_t next_job = 0;
    const std::int64_t instants = rng.chance(0.5) ? 20 : 100'000;  // Few: many ends at one instant.
    for (int step = 0; step < 1500; ++step) {
      const bool growing = (step / 500) % 2 == 0;
      if (rows.empty() || rng.chance(growing ? 0.7 : 0.3)) {
        const Row row{rng.below(static_cast<std::uint64_t>(instants)), next_job++,
                      static_cast<std::uint32_t>(rng.between(1, 9))};
        profile.insert({Instant{std::get<0>(row)}, JobId{std::get<1>(row)}, std::get<2>(row)});
        rows.insert(std::upper_bound(rows.begin(), rows.end(), row), row);
      } else {
        const auto at = rows.begin() + static_cast<std::ptrdiff_t>(rng.below(rows.size()));
        profile.erase(Instant{std::get<0>(*at)}, JobId{std::get<1>(*at)});
        rows.erase(at);
      }
      ASSERT_EQ(profile.size(), rows.size());
      const std::int64_t free = rng.between(0, 5);
      const std::int64_t need = free + rng.between(1, static_cast<std::int64_t>(rows.size()) * 6 + 2);
      const EndProfile::Answer want = naive_reaches(rows, free, need);
      const EndProfile::Answer got = profile.reaches(free, need);
      ASSERT_EQ(got.when, want.when) << "seed " << seed << " step " << step;
      ASSERT_EQ(got.free, want.free) << "seed " << seed << " step " << step;
      if (step % 50 != 0) continue;
      std::vector<Row> seen;
      profile.for_each([&](const EndProfile::Entry& entry) {
        seen.emplace_back(entry.end.count(), entry.job.value(), entry.amount);
        return true;
      });
      ASSERT_EQ(seen, rows) << "seed " << seed << " step " << step;
      seen.clear();
      EndProfile::Cursor at;
      for (; const EndProfile::Entry* entry = profile.entry(at); at = profile.after(at))
        seen.emplace_back(entry->end.count(), entry->job.value(), entry->amount);
      ASSERT_EQ(seen, rows) << "seed " << seed << " step " << step;
    }
  }
}

TEST(EndProfile, VisitingStopsWhenAsked) {
  EndProfile profile;
  for (std::uint32_t job = 0; job < 200; ++job) profile.insert({Instant{job}, JobId{job}, 1});
  int seen = 0;
  profile.for_each([&](const EndProfile::Entry&) { return ++seen < 130; });
  EXPECT_EQ(seen, 130);
}

}  // namespace
}  // namespace gw::sched
