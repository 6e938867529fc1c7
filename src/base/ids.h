// Strong identifiers: small integers that name one thing each and order by it.
#pragma once

#include <compare>
#include <cstdint>

namespace gw {

/// An index-like name; `.value()` gives the number. The default value names nothing.
template <class Tag>
class Id {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;
  constexpr Id() = default;
  constexpr explicit Id(std::uint32_t value) : value_(value) {}
  [[nodiscard]] constexpr std::uint32_t value() const { return value_; }
  [[nodiscard]] constexpr bool valid() const { return value_ != kNone; }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  std::uint32_t value_ = kNone;
};

using JobId = Id<struct JobIdTag>;        ///< In order of submission to the core, from 0.
using NodeId = Id<struct NodeIdTag>;      ///< Index into the fleet's nodes, in fabric (depth-first) order.
using TenantId = Id<struct TenantIdTag>;  ///< Index into the tenant tree; 0 is the root.
using WindowId = Id<struct WindowIdTag>;  ///< A time for which nodes are reserved; given by whoever makes it.

}  // namespace gw
