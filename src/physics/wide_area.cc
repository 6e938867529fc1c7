// Latency of fibre, congestion control over it, and what follows for transfers.
#include "physics/wide_area.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/math.h"

namespace gw::physics {

namespace {

constexpr double kEarthRadiusKm = 6371.0;  // IUGG mean radius.
// Group index 1.468 at 1550 nm (Corning SMF-28 data sheet) over 299792 km/s.
constexpr double kFibreSecondsPerKm = 4.9e-6;
constexpr double kFirstWindowPackets = 10;  // RFC 6928.

/// What losses leave to one stream; infinite without losses.
double loss_limit(const FibreLink& link) {
  if (link.loss <= 0) return std::numeric_limits<double>::infinity();
  const double rtt = link.round_trip().value();
  const double reno = std::sqrt(1.5 / link.loss);  // Packets in the window.
  // RFC 9438, equation 6 (C = 0.4, beta = 0.7).
  const double cubic = 1.054 * stable_pow(rtt / link.loss, 0.75);
  return std::max(reno, cubic) * link.packet_payload / rtt;
}

double stream_limit(const FibreLink& link, DataBytes window) {
  return std::min(window.value() / link.round_trip().value(), loss_limit(link));
}

}  // namespace

Kilometres great_circle(Place from, Place to) {
  constexpr double kRadian = std::numbers::pi / 180;
  const auto half_sine_squared = [](double angle) { return (1 - stable_cos(angle)) / 2; };
  const double haversine = half_sine_squared((to.latitude - from.latitude) * kRadian) +
                           stable_cos(from.latitude * kRadian) * stable_cos(to.latitude * kRadian) *
                               half_sine_squared((to.longitude - from.longitude) * kRadian);
  return Kilometres{2 * kEarthRadiusKm * std::asin(std::sqrt(std::clamp(haversine, 0.0, 1.0)))};
}

Kilometres route_length(Kilometres straight) {
  if (straight.value() < 1000) return straight * 1.5;
  return std::max(Kilometres{1500}, straight * 1.25);
}

Seconds FibreLink::one_way() const { return Seconds{route.value() * kFibreSecondsPerKm} + equipment; }

BytesPerSecond FibreLink::goodput() const {
  return rate * (packet_payload / (packet_payload + packet_overhead));
}

BytesPerSecond throughput(const FibreLink& link, const Streams& streams) {
  return std::min(link.goodput(), BytesPerSecond{streams.count * stream_limit(link, streams.window)});
}

Seconds transfer_time(const FibreLink& link, const Streams& streams, DataBytes size) {
  const BytesPerSecond steady = throughput(link, streams);
  const Seconds rtt = link.round_trip();
  // Windows double each round trip until they carry `steady`. What is sent meanwhile is one full window less
  // the first, so the ramp costs its round trips less about one.
  const double first = streams.count * kFirstWindowPackets * link.packet_payload;
  const double full = std::max(first, (steady * rtt).value());
  const double ramped = std::min(full, first + size.value());
  const Seconds ramp = rtt * std::max(0.0, stable_log2(ramped / first));
  const double sent = std::min(size.value(), ramped - first);
  // The request and the last byte's way back take a round trip.
  return rtt + ramp + DataBytes{size.value() - sent} / steady;
}

double streams_to_fill(const FibreLink& link, DataBytes window) {
  return std::max(1.0, std::ceil(link.goodput().value() / stream_limit(link, window)));
}

Seconds staging_time(const FibreLink& link, const Streams& streams, const Staging& staging, DataBytes size) {
  Seconds longest = transfer_time(link, streams, size);
  for (const BytesPerSecond storage : {staging.read, staging.write}) {
    if (storage.value() > 0) longest = std::max(longest, size / storage + link.one_way());
  }
  return longest;
}

Replication replicate(const FibreLink& link, const Streams& streams, DataBytes checkpoint, double copies,
                      Seconds interval) {
  Replication result;
  result.copy = transfer_time(link, streams, checkpoint * copies);
  result.needed = checkpoint * copies / interval;
  result.busy = result.copy / interval;
  result.exposed = interval + result.copy;
  return result;
}

RoundTrip inference_round_trip(const FibreLink& link, DataBytes request, Seconds serving, bool fresh) {
  RoundTrip result;
  const double trips = fresh ? 3 : 1;
  result.network = link.round_trip() * trips + request / link.goodput();
  result.first_token = result.network + serving;
  return result;
}

}  // namespace gw::physics
