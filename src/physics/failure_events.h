// OutageStream: which nodes are out from when to when and why, drawn from the rates of failures for a fleet.
//
// Equal fleets and seeds give equal outages. Besides single nodes, what nodes share fails as one: a rack's
// power, a leaf switch, the feed of a row.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/units.h"
#include "model/fleet.h"
#include "physics/failures.h"

namespace gw::physics {

enum class OutageKind : std::uint8_t { kNode, kRack, kLeaf, kFeed };
[[nodiscard]] std::string_view outage_kind_name(OutageKind kind);

/// Nodes [first, end) are out from `down` until `up`, later than `down`.
struct Outage {
  Instant down;
  Instant up;
  std::uint32_t first = 0;
  std::uint32_t end = 0;
  OutageKind kind = OutageKind::kNode;
  FailureCause cause = FailureCause::kGpu;  ///< Of a leaf kNetwork, of a rack or feed kHost.
};

/// A Poisson process over all that can fail; nodes of types without GPUs have the causes of hosts only. What
/// is out already may fail again.
class OutageStream {
 public:
  OutageStream(const Fleet& fleet, const Rng& rng);

  /// Whether anything can fail.
  [[nodiscard]] bool any() const { return per_second_ > 0; }
  /// The next outage, in order of time; any() must hold.
  Outage take();
  /// Outages of that kind per second.
  [[nodiscard]] double rate(OutageKind kind) const;

 private:
  struct Source {
    OutageKind kind;
    FailureCause cause;
    std::uint32_t pool;  ///< Index into pools_ of a node's type; else into shared_.
    double per_second;
  };
  void add_shared(OutageKind kind, FailureCause cause, const Partition& partition, double per_year);

  Rng rng_;
  Instant now_;
  std::vector<std::vector<std::uint32_t>> pools_;  ///< Nodes by type.
  std::vector<Partition> shared_;
  std::vector<Source> sources_;
  std::vector<double> weights_;
  double per_second_ = 0;
};

/// Outages that begin before `horizon`.
[[nodiscard]] std::vector<Outage> outages_before(const Fleet& fleet, Instant horizon, std::uint64_t seed);

}  // namespace gw::physics
