// PendingQueue against a sorted list: order, and a search that never misses a job that meets its bounds.
#include "sched/pending_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/rng.h"

namespace gw::sched {
namespace {

using Key = std::pair<std::int64_t, std::uint32_t>;
using Model = std::map<Key, PendingQueue::Entry>;

bool meets(const PendingQueue::Entry& entry, const PendingQueue::Bounds& bounds) {
  if (entry.demand > bounds.free) return false;
  const bool open = entry.demand <= bounds.spare && ((bounds.open_tags >> entry.tag) & 1U) != 0;
  const bool held = entry.limit <= bounds.window && ((bounds.held_tags >> entry.tag) & 1U) != 0;
  return open || held;
}

PendingQueue::Bounds random_bounds(Rng& rng) {
  PendingQueue::Bounds bounds;
  const auto part = [&] { return static_cast<std::int32_t>(rng.between(-1, 60)); };
  bounds.free = part();
  bounds.spare = part();
  bounds.window = part();
  if (rng.chance(0.5)) bounds.open_tags = rng.next() & rng.next();
  if (rng.chance(0.5)) bounds.held_tags = rng.next() & rng.next() & rng.next();
  return bounds;
}

/// What a whole search from `from` gives must be exactly what meets the bounds, in order.
void expect_search(const PendingQueue& queue, const Model& model, const PendingQueue::Bounds& bounds,
                   Key from) {
  std::vector<std::uint32_t> want;
  for (auto at = model.lower_bound(from); at != model.end(); ++at) {
    if (meets(at->second, bounds)) want.push_back(at->first.second);
  }
  std::vector<std::uint32_t> got;
  for (PendingQueue::Cursor at = queue.find(queue.lower_bound(from.first, JobId{from.second}), bounds);
       !queue.at_end(at); at = queue.find(queue.after(at), bounds))
    got.push_back(queue.job(at).value());
  ASSERT_EQ(got, want);
}

/// The summary says of no entry that it does not meet the bounds where it does, and is exact without bounds.
void expect_summary(const PendingQueue& queue, const Model& model, const PendingQueue::Bounds& bounds) {
  PendingQueue::Summary want;
  Instant oldest = Instant::max();
  bool any = false;
  for (const auto& each : model) {
    const auto& entry = each.second;
    want.add({entry.demand, entry.limit, std::uint64_t{1} << entry.tag});
    oldest = std::min(oldest, entry.since);
    any |= meets(entry, bounds);
  }
  const PendingQueue::Summary got = queue.summary();
  ASSERT_EQ(got.least_demand, want.least_demand);
  ASSERT_EQ(got.least_limit, want.least_limit);
  ASSERT_EQ(got.tags, want.tags);
  ASSERT_TRUE(!any || got.may_meet(bounds));
  ASSERT_EQ(queue.oldest(), oldest);
}

void expect_order(const PendingQueue& queue, const Model& model) {
  ASSERT_EQ(queue.size(), model.size());
  ASSERT_EQ(queue.empty(), model.empty());
  auto want = model.begin();
  for (PendingQueue::Cursor at = queue.begin(); !queue.at_end(at); at = queue.after(at), ++want) {
    ASSERT_NE(want, model.end());
    ASSERT_EQ(queue.key(at), want->first.first);
    ASSERT_EQ(queue.job(at).value(), want->first.second);
  }
  ASSERT_EQ(want, model.end());
}

TEST(PendingQueue, AgreesWithASortedList) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    PendingQueue queue;
    Model model;
    std::uint32_t next_job = 0;
    const std::int64_t keys = seed % 3 == 0 ? 1 : (seed % 3 == 1 ? 5 : 100'000);
    for (int step = 0; step < 1200; ++step) {
      const bool growing = (step / 300) % 2 == 0;
      if (model.empty() || rng.chance(growing ? 0.8 : 0.25)) {
        PendingQueue::Entry entry;
        entry.key = rng.between(-keys / 2, keys / 2);
        entry.job = JobId{next_job++};
        entry.demand = static_cast<std::int32_t>(rng.between(0, 50));
        entry.limit = static_cast<std::int32_t>(rng.between(0, 50));
        entry.tag = static_cast<std::uint8_t>(rng.below(64));
        entry.since = Instant{} + seconds(rng.between(0, 1'000));
        queue.insert(entry);
        model[{entry.key, entry.job.value()}] = entry;
      } else {
        const auto at = std::next(model.begin(), static_cast<std::ptrdiff_t>(rng.below(model.size())));
        const Key key = at->first;
        const auto after = model.erase(at);
        if (rng.chance(0.5)) {
          queue.erase(key.first, JobId{key.second});
        } else {  // The cursor that an erase gives stands on the entry after the erased one.
          const PendingQueue::Cursor next = queue.erase(queue.lower_bound(key.first, JobId{key.second}));
          if (after == model.end()) {
            ASSERT_TRUE(queue.at_end(next) || queue.empty());
          } else {
            ASSERT_FALSE(queue.at_end(next));
            ASSERT_EQ(queue.job(next).value(), after->first.second);
          }
        }
      }
      if (step % 5 == 0) {
        const Key from{rng.between(-keys / 2 - 1, keys / 2 + 1),
                       static_cast<std::uint32_t>(rng.below(next_job + 1))};
        const PendingQueue::Bounds bounds = random_bounds(rng);
        ASSERT_NO_FATAL_FAILURE(expect_search(queue, model, bounds, from)) << "step " << step;
        ASSERT_NO_FATAL_FAILURE(expect_summary(queue, model, bounds)) << "step " << step;
      }
      if (step % 50 == 0) {
        ASSERT_NO_FATAL_FAILURE(expect_order(queue, model)) << "step " << step;
      }
    }
  }
}

TEST(PendingQueue, WithoutBoundsFindsEveryJob) {
  PendingQueue queue;
  for (std::uint32_t job = 0; job < 500; ++job)
    queue.insert({0, JobId{job}, std::numeric_limits<std::int32_t>::max() - 1,
                  std::numeric_limits<std::int32_t>::max() - 1, static_cast<std::uint8_t>(job % 64),
                  Instant{}});
  std::uint32_t found = 0;
  for (PendingQueue::Cursor at = queue.find(queue.begin(), {}); !queue.at_end(at);
       at = queue.find(queue.after(at), {}))
    EXPECT_EQ(queue.job(at).value(), found++);
  EXPECT_EQ(found, 500U);
}

}  // namespace
}  // namespace gw::sched
