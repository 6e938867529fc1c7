// Any bytes as a journal: reading and verifying must end in a report or an Error, never in an abort.
//
// A mutated record would fail its checksum and nothing behind it would be reached, so an input whose last
// byte is even is given right checksums first. Then the events alone are also fed to a core, whatever the
// plans say.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "runtime/journal.h"

namespace {

constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kHeadSize = 9;

std::string with_right_checksums(std::string bytes) {
  for (std::size_t at = kMagicSize; at + kHeadSize <= bytes.size();) {
    gw::ByteReader length(std::string_view(bytes).substr(at + 1, 4));
    const std::size_t size = std::min<std::size_t>(length.fixed32(), bytes.size() - at - kHeadSize);
    const std::string_view whole(bytes);
    gw::ByteWriter head;
    head.fixed32(static_cast<std::uint32_t>(size));
    head.fixed32(gw::crc32c(whole.substr(at + kHeadSize, size), gw::crc32c(whole.substr(at, 1))));
    std::copy(head.bytes().begin(), head.bytes().end(), bytes.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    at += kHeadSize + size;
  }
  return bytes;
}

/// Feeds the events to a core as far as they make sense. Snapshots on the way must restore to equal ones.
void replay_events(gw::runtime::JournalReader& reader) {
  gw::sched::Core core(reader.header().fleet, reader.header().policy);
  gw::Instant last;
  std::uint64_t batches = 0;
  for (;;) {
    const gw::Result<gw::runtime::JournalRecord> record = reader.next();
    if (!record || std::holds_alternative<gw::runtime::EndRecord>(*record)) return;
    const auto* events = std::get_if<gw::runtime::EventsRecord>(&*record);
    if (events == nullptr) continue;
    for (const gw::sched::Event& event : events->events) {
      if (!gw::runtime::check_event(core, event, events->now, last, reader.header().fleet).empty()) continue;
      last = events->now;
      core.apply(event, last);
    }
    core.plan(last);
    GW_CHECK(core.check().empty());
    if (++batches % 8 != 0) continue;
    gw::sched::Core copy(reader.header().fleet, reader.header().policy);
    const std::string snapshot = core.snapshot();
    GW_CHECK(copy.restore(snapshot));
    GW_CHECK(copy.snapshot() == snapshot);
  }
}

/// Large fleets and deep fabrics are allowed but slow: not what this looks for.
bool is_small(const gw::Fleet& fleet) {
  std::size_t vertices = 0;
  for (const gw::Partition& level : fleet.fabric) vertices += level.vertices();
  return fleet.nodes() <= 3000 && fleet.fabric.size() <= 6 && fleet.node_types.size() <= 6 &&
         vertices <= 6000;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size > 0 && data[size - 1] % 2 == 0) bytes = with_right_checksums(std::move(bytes));
  const auto reader = gw::runtime::JournalReader::from_memory(bytes, "fuzz");
  if (!reader) {
    GW_CHECK(!reader.error().message.empty());
    return 0;
  }
  if (!is_small((*reader)->header().fleet)) return 0;
  const gw::Result<gw::runtime::VerifyReport> report = gw::runtime::verify_journal(**reader);
  GW_CHECK(report.has_value() || !report.error().message.empty());
  const auto again = gw::runtime::JournalReader::from_memory(bytes, "fuzz");
  GW_CHECK(again.has_value());
  replay_events(**again);
  return 0;
}
