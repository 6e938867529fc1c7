// Training over several sites: each takes many steps by itself, then all exchange what they have learnt.
//
// The outer loop of DiLoCo (Douillard et al., arXiv:2311.08105) and Streaming DiLoCo (arXiv:2501.18512). What
// the longer rounds cost in quality of the model is not known here: only time is.
#pragma once

#include "physics/units.h"
#include "physics/wide_area.h"

namespace gw::physics {

struct MultiSite {
  double sites = 2;
  double inner_steps = 500;        ///< Steps of a site between two exchanges.
  double parameters = 0;           ///< Of the model.
  double bytes_per_parameter = 4;  ///< Of what is exchanged: 4 uncompressed, 0.5 as in Streaming DiLoCo.
  double overlap_steps = 0;        ///< Inner steps that go on while an exchange is under way.
  FibreLink link;                  ///< From each site to the next.
  Streams streams{64, DataBytes{64.0 * 1024 * 1024}};
};

struct MultiSiteTime {
  DataBytes payload;         ///< Of one site in one exchange.
  Seconds exchange;          ///< A ring all-reduce over the sites.
  Seconds exposed;           ///< Of it, what no inner step hides.
  Seconds round;             ///< Inner steps and what is exposed.
  double lost = 0;           ///< Share of the round in which nobody computes.
  BytesPerSecond mean_rate;  ///< That a site sends over a round.
};

/// `step`: of one site. With one site nothing is exchanged.
[[nodiscard]] MultiSiteTime multi_site_time(const MultiSite& run, Seconds step);

/// The least rate of each link at which no more than `lost` of a round is lost; 0 where none is needed,
/// infinite where the latency alone loses more.
[[nodiscard]] BytesPerSecond least_rate(const MultiSite& run, Seconds step, double lost);

}  // namespace gw::physics
