// The journal header's bytes: the fleet as far as decisions depend on it, and the policy.
#pragma once

#include "base/bytes.h"
#include "runtime/journal.h"

namespace gw::runtime {

void encode(ByteWriter& out, const JournalHeader& header);
/// `in.ok()` and an empty `check_fleet` say whether it is one.
JournalHeader decode_header(ByteReader& in);

}  // namespace gw::runtime
