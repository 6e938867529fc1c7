// Published interruptions, times to failure, goodput and checkpoints as questions to the model of failures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "physics/failures.h"
#include "physics/published.h"

namespace gw::physics {

struct PublishedFailure {
  enum class Quantity : std::uint8_t {
    kCount,       ///< Interruptions in `days`.
    kMtbf,        ///< Hours between interruptions of a job.
    kNodeRate,    ///< Per 1000 node-days.
    kNodesTaken,  ///< Nodes that go out of service in `days`.
    kShare,       ///< Percent of all interruptions.
    kGoodput,     ///< Percent of time.
    kDetection,   ///< Minutes.
    kCatchUp,     ///< Minutes from restart until lost work is done again.
    kCheckpoint,  ///< Bytes.
  };
  enum class Bound : std::uint8_t { kNone, kAtLeast, kAtMost };

  std::string id;
  std::string group;
  std::string what;
  std::string reason;   ///< Why the model cannot express the row; empty where it can.
  std::string assumed;  ///< What the row does not say and was assumed.
  Quantity quantity = Quantity::kCount;
  Bound bound = Bound::kNone;  ///< The measurement says only this much.
  FailureSetting setting;
  std::vector<FailureCause> causes;  ///< Which are counted; empty: all.
  double days = 0;
  double parameters = 0;  ///< Of the model whose state a checkpoint holds.
  double measured = 0;
  double low = 0;  ///< Interval of 95 %, or both 0.
  double high = 0;
};

[[nodiscard]] Result<std::vector<PublishedFailure>> read_published_failures(const PublishedTable& table,
                                                                            const KnownTypes& known);

}  // namespace gw::physics
