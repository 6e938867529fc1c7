// Which generations were measured at what, as docs/physics-training.md, -inference.md and -power.md list
// them.
#include "cli/physics_basis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace gw {

namespace {

using physics::Generation;

/// docs/physics-training.md: the largest of the rows that constants were fitted to.
constexpr double kLargestMeasuredTraining = 16'384;

/// Types without a generation of their own that stand in the table of inference.
constexpr std::array<std::string_view, 4> kServedOthers = {"mi300x", "mi325x", "mi355x", "l40s"};

void note(Basis& basis, std::string text) {
  basis.published = false;
  basis.notes.push_back(std::move(text));
}

void note_network(Basis& basis, const physics::Accelerator& gpu) {
  constexpr double kBitsPerGigabyte = 8e-9;
  if (!gpu.network_known)
    basis.notes.push_back(
        fmt::format("the catalog does not know the network of {}: {:g} Gbit/s for each GPU are taken",
                    gpu.name, gpu.network_bytes_s * kBitsPerGigabyte));
}

std::string_view scaled(const physics::Accelerator& gpu) {
  return gpu.measured_16bit_flops > 0 ? ", scaled by its measured matrix rate" : "";
}

}  // namespace

Basis& Basis::operator+=(const Basis& other) {
  published = published && other.published;
  for (const std::string& each : other.notes) {
    if (std::find(notes.begin(), notes.end(), each) == notes.end()) notes.push_back(each);
  }
  return *this;
}

Basis training_basis(const physics::Accelerator& gpu, double gpus) {
  Basis basis;
  if (gpu.generation == Generation::kOther)
    note(basis, fmt::format("no training on the generation of {} has been published: constants of Hopper are "
                            "used{}",
                            gpu.name, scaled(gpu)));
  if (gpus > kLargestMeasuredTraining)
    note(basis,
         fmt::format("no step on more than {:.0f} GPUs has been measured: what is beyond is extrapolated",
                     kLargestMeasuredTraining));
  if (gpus > 1) note_network(basis, gpu);
  return basis;
}

Basis serving_basis(const physics::Accelerator& gpu) {
  Basis basis;
  std::string_view whose;
  switch (gpu.generation) {
    case Generation::kVolta:
    case Generation::kAmpere:
      whose = "Hopper";
      break;
    case Generation::kBlackwellUltra:
      whose = "Blackwell";
      break;
    case Generation::kOther:
      if (std::find(kServedOthers.begin(), kServedOthers.end(), gpu.name) == kServedOthers.end())
        whose = "AMD Instinct";
      break;
    case Generation::kHopper:
    case Generation::kBlackwell:
      break;
  }
  if (!whose.empty())
    note(basis, fmt::format("no serving on the generation of {} was measured: constants of {} are used{}",
                            gpu.name, whose, gpu.generation == Generation::kOther ? scaled(gpu) : ""));
  return basis;
}

Basis power_basis(const physics::Accelerator& gpu) {
  Basis basis;
  if (gpu.generation == Generation::kHopper || gpu.generation == Generation::kBlackwell) return basis;
  note(basis, fmt::format("no power of the generation of {} was measured: shares of the TDP are those of {}",
                          gpu.name, gpu.generation == Generation::kBlackwellUltra ? "Blackwell" : "Hopper"));
  return basis;
}

nlohmann::ordered_json json_of(const Basis& basis) {
  return {{"published", basis.published}, {"notes", basis.notes}};
}

void print_basis(const Basis& basis) {
  for (const std::string& each : basis.notes) fmt::print("{}\n", each);
}

}  // namespace gw
