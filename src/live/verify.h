// Verification of a live journal: its events through a fresh core must give its plans again, byte for byte.
#pragma once

#include <functional>
#include <variant>

#include "base/result.h"
#include "live/records.h"
#include "runtime/journal.h"

namespace gw::live {

/// Calls `entry` for every snapshot and journal row of a store in order: by sequence, a row before the
/// snapshots of its sequence, until it gives false.
using JournalEntry = std::variant<JournalRow, SnapshotRow>;
using JournalSource = std::function<Result<void>(const std::function<bool(JournalEntry)>& entry)>;

struct LiveVerifyReport : runtime::VerifyReport {
  std::uint64_t segments = 0;  ///< Begun by a snapshot that does not follow from what was before.
};

/// The Error names the first difference.
Result<LiveVerifyReport> verify_live_journal(const JournalSource& source);

}  // namespace gw::live
