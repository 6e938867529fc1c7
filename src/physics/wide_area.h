// Fibre between sites: latency from distance, what long transfers reach, staging, replication, round trips.
//
// docs/physics-wide-area.md holds the equations and sources.
#pragma once

#include "physics/units.h"

namespace gw::physics {

/// Degrees; north and east are positive.
struct Place {
  double latitude = 0;
  double longitude = 0;
};

/// Along the surface of a sphere of the Earth's mean radius.
[[nodiscard]] Kilometres great_circle(Place from, Place to);

/// Length of the cable between places so far apart: ITU-T G.826, annex A (1.5 times up to 1000 km, 1.25 times
/// from 1200 km, 1500 km between).
[[nodiscard]] Kilometres route_length(Kilometres straight);

/// Between two sites, in each direction.
struct FibreLink {
  Kilometres route;
  BytesPerSecond rate;
  double loss = 0;               ///< Share of packets that are lost other than by congestion of one's own.
  double packet_payload = 8948;  ///< Bytes of data in a packet: jumbo frames, TCP with timestamps.
  double packet_overhead = 90;   ///< Bytes beside them on the wire: 52 of IP and TCP, 38 of Ethernet.
  Seconds equipment{100e-6};     ///< Transponders, error correction and switches, one way.

  [[nodiscard]] Seconds one_way() const;
  [[nodiscard]] Seconds round_trip() const { return one_way() * 2; }
  /// What data gets of the rate, headers taken off.
  [[nodiscard]] BytesPerSecond goodput() const;
};

/// How a sender fills a link.
struct Streams {
  double count = 1;
  DataBytes window{64.0 * 1024 * 1024};  ///< Largest window of one stream.
};

/// What a long transfer reaches: no more than the link, the windows, or what losses leave to congestion
/// control (the faster of Reno, Mathis et al. 1997, and CUBIC, RFC 9438).
[[nodiscard]] BytesPerSecond throughput(const FibreLink& link, const Streams& streams);
/// From the first request to the last byte: connection, slow start from ten packets (RFC 6928), then
/// throughput.
[[nodiscard]] Seconds transfer_time(const FibreLink& link, const Streams& streams, DataBytes size);
/// Streams that fill the link with that window; the link's loss is taken into account.
[[nodiscard]] double streams_to_fill(const FibreLink& link, DataBytes window);

/// Moving a data set from one site's storage into another's: the slowest of reading, sending and writing.
struct Staging {
  BytesPerSecond read;   ///< 0 = does not hold it up.
  BytesPerSecond write;  ///< 0 = does not hold it up.
};
[[nodiscard]] Seconds staging_time(const FibreLink& link, const Streams& streams, const Staging& staging,
                                   DataBytes size);

/// Copies of each checkpoint at other sites.
struct Replication {
  Seconds copy;           ///< Of one checkpoint to all copies, over the one link.
  BytesPerSecond needed;  ///< Least rate of data at which each copy is done before the next checkpoint.
  double busy = 0;        ///< Share of the link that replication takes; above 1 copies fall behind.
  Seconds exposed;        ///< Work that is lost with the site: the interval and the copy's time.
};
[[nodiscard]] Replication replicate(const FibreLink& link, const Streams& streams, DataBytes checkpoint,
                                    double copies, Seconds interval);

/// One request to a region: round trips, both messages on the wire, and the time to the first token there.
struct RoundTrip {
  Seconds network;  ///< Round trips and messages.
  Seconds first_token;
};
/// `fresh`: a connection is made first (one round trip of TCP, RFC 9293, and one of TLS 1.3, RFC 8446).
[[nodiscard]] RoundTrip inference_round_trip(const FibreLink& link, DataBytes request, Seconds serving,
                                             bool fresh);

}  // namespace gw::physics
