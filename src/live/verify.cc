// Replays a live journal, segment by segment.
#include "live/verify.h"

#include <fmt/format.h>

#include <memory>

#include "runtime/journal_codec.h"
#include "sched/codec.h"

namespace gw::live {
namespace {

struct Replica {
  Fleet fleet;
  std::unique_ptr<sched::Core> core;

  /// Empty, or what is wrong with the snapshot.
  std::string restore(const SnapshotRow& snapshot) {
    ByteReader reader(snapshot.header);
    runtime::JournalHeader header = runtime::decode_header(reader);
    if (!reader.done() || !check_fleet(header.fleet).empty())
      return "the header of a snapshot cannot be read";
    fleet = std::move(header.fleet);
    core = std::make_unique<sched::Core>(fleet, header.policy);
    return core->restore(snapshot.core) ? "" : "a snapshot cannot be restored";
  }

  std::string plan_bytes(Instant now) {
    ByteWriter out;
    sched::encode(out, core->plan(now));
    return out.take();
  }
};

class Verifier {
 public:
  /// Empty, or what is wrong.
  std::string take(const SnapshotRow& snapshot) {
    if (!whole_.core || !snapshot.follows) {
      if (snapshot.sequence < sequence_) return "a snapshot is out of order";
      sequence_ = snapshot.sequence;
      ++report.segments;
      resumed_.reset();
      return whole_.restore(snapshot);
    }
    if (snapshot.sequence != sequence_) return "a snapshot is out of order";
    ++report.snapshots;
    if (whole_.core->snapshot() != snapshot.core) return "a snapshot is not that of the core";
    resumed_ = std::make_unique<Replica>();
    return resumed_->restore(snapshot);
  }

  std::string take(const JournalRow& row) {
    if (!whole_.core) return "the journal does not begin with a snapshot";
    if (row.sequence != sequence_ + 1) return "an entry is missing";
    sequence_ = row.sequence;
    ByteReader in(row.events);
    Instant last = whole_.core->now();
    for (std::uint32_t index = 0; index < row.count; ++index) {
      const sched::Event event = sched::decode_event(in);
      if (!in.ok()) return "an event cannot be read";
      if (std::string wrong = runtime::check_event(*whole_.core, event, row.now, last, whole_.fleet);
          !wrong.empty())
        return wrong;
      last = row.now;
      whole_.core->apply(event, row.now);
      if (resumed_) resumed_->core->apply(event, row.now);
      ++report.events;
    }
    if (!in.done()) return "bytes follow its events";
    if (row.now < last) return "time goes back";
    ++report.batches;
    ByteReader plan(row.plan);
    report.starts += sched::decode_plan(plan).starts.size();
    if (whole_.plan_bytes(row.now) != row.plan) return "the core decides otherwise than the journal says";
    if (resumed_ && resumed_->plan_bytes(row.now) != row.plan)
      return "the core restored from a snapshot decides otherwise";
    return {};
  }

  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  LiveVerifyReport report;

 private:
  Replica whole_;
  std::unique_ptr<Replica> resumed_;
  std::uint64_t sequence_ = 0;
};

}  // namespace

Result<LiveVerifyReport> verify_live_journal(const JournalSource& source) {
  Verifier verifier;
  std::string problem;
  const Result<void> read = source([&](const JournalEntry& entry) {
    problem = std::visit([&](const auto& each) { return verifier.take(each); }, entry);
    return problem.empty();
  });
  if (!read) return std::unexpected(read.error());
  if (!problem.empty()) return fail(fmt::format("journal entry {}: {}", verifier.sequence(), problem));
  return verifier.report;
}

}  // namespace gw::live
