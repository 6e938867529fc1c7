// grow_fleet: a fleet with more nodes of a kind that it has already.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/fleet.h"

namespace gw::twin {

struct MoreNodes {
  std::string type;  ///< Name of a node type of the fleet.
  std::uint32_t count = 1;
  std::string site;  ///< Empty where the fleet has one site or none.
};

/// New nodes stand at the end of their site, called `new-TYPE-1`, ...; those that were there keep their
/// names. They form vertices of their own in the fabric and the feed below the site, as large as those of the
/// first node of that type and as well connected; the power of those feeds is not limited. They are in
/// the zones of their site's nodes of that type, in the same shares. An Error names
/// what is not there, and what there is.
Result<Fleet> grow_fleet(const Fleet& fleet, const MoreNodes& more);

}  // namespace gw::twin
