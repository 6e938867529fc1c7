// Which generations were measured at what, as docs/physics-training.md, -inference.md, -power.md,
// -collectives.md and -failures.md list them.
#include "cli/physics_basis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "physics/failures.h"
#include "physics/serving_engine.h"

namespace gw {

namespace {

using physics::Generation;

/// docs/physics-training.md: the largest of the rows that constants were fitted to.
constexpr double kLargestMeasuredTraining = 16'384;

/// docs/physics-collectives.md: of the rows that constants were fitted to.
constexpr double kLargestMeasuredCollective = 256;

/// Types without a generation of their own that stand in the table of inference.
constexpr std::array<std::string_view, 5> kServedOthers = {"mi300x", "mi325x", "mi355x", "l40s",
                                                           "rtx-pro-6000"};

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

/// As people say it. Types without a generation that was fitted take Hopper's constants.
std::string_view name_of(Generation generation) {
  switch (generation) {
    case Generation::kVolta:
      return "Volta";
    case Generation::kAmpere:
      return "Ampere";
    case Generation::kBlackwell:
      return "Blackwell";
    case Generation::kBlackwellUltra:
      return "Blackwell Ultra";
    case Generation::kHopper:
    case Generation::kOther:
      break;
  }
  return "Hopper";
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
  if (gpu.generation == Generation::kOther || !gpu.own_generation)
    note(basis,
         fmt::format("no training on the generation of {} has been published: constants of {} are used{}",
                     gpu.name, name_of(gpu.generation), scaled(gpu)));
  if (gpus > kLargestMeasuredTraining)
    note(basis,
         fmt::format("no step on more than {:.0f} GPUs has been measured: what is beyond is extrapolated",
                     kLargestMeasuredTraining));
  if (gpus > gpu.scaleup_domain) note_network(basis, gpu);
  return basis;
}

Basis serving_basis(const physics::Accelerator& gpu, bool over_network) {
  Basis basis;
  std::string_view whose;
  switch (physics::serving_generation(gpu)) {
    case Generation::kVolta:
    case Generation::kAmpere:
      whose = "Hopper";
      break;
    case Generation::kBlackwellUltra:
      whose = "Blackwell";
      break;
    case Generation::kBlackwell:
      if (!gpu.own_generation) whose = "Blackwell";
      break;
    case Generation::kOther:
      if (std::find(kServedOthers.begin(), kServedOthers.end(), gpu.name) == kServedOthers.end())
        whose = gpu.name.starts_with("mi") ? "AMD Instinct" : "L40S and RTX PRO 6000";
      break;
    case Generation::kHopper:
      if (gpu.generation != Generation::kHopper) whose = "Hopper";
      break;
  }
  if (!whose.empty())
    note(basis, fmt::format("no serving on the generation of {} was measured: constants of {} are used{}",
                            gpu.name, whose, gpu.generation == Generation::kOther ? scaled(gpu) : ""));
  if (over_network) note_network(basis, gpu);
  return basis;
}

Basis power_basis(const physics::Accelerator& gpu) {
  Basis basis;
  const bool blackwell =
      gpu.generation == Generation::kBlackwell || gpu.generation == Generation::kBlackwellUltra;
  if (gpu.own_generation &&
      (gpu.generation == Generation::kHopper || gpu.generation == Generation::kBlackwell))
    return basis;
  note(basis, fmt::format("no power of the generation of {} was measured: shares of the TDP are those of {}",
                          gpu.name, blackwell ? "Blackwell" : "Hopper"));
  return basis;
}

Basis collective_basis(const physics::Accelerator& gpu, const physics::Group& group) {
  Basis basis;
  const bool measured =
      gpu.own_generation && (gpu.generation == Generation::kAmpere || gpu.generation == Generation::kHopper ||
                             gpu.generation == Generation::kBlackwell);
  if (group.per_domain > 1 && !measured)
    note(basis,
         fmt::format("no collective over the links of {} was measured: constants of {} are used", gpu.name,
                     gpu.generation == Generation::kBlackwell || gpu.generation == Generation::kBlackwellUltra
                         ? "Blackwell"
                         : "Ampere"));
  if (group.gpus > kLargestMeasuredCollective)
    note(basis,
         fmt::format("no collective of more than {:.0f} GPUs was measured: what is beyond is extrapolated",
                     kLargestMeasuredCollective));
  if (group.per_domain < group.gpus) note_network(basis, gpu);
  return basis;
}

Basis failures_basis(const physics::Accelerator& gpu, double gpus, bool over_network) {
  Basis basis;
  const bool counted =
      gpu.own_generation && (gpu.generation == Generation::kAmpere || gpu.generation == Generation::kHopper);
  if (!counted)
    note(basis,
         fmt::format(
             "no interruptions of the generation of {} have been published: rates of {} are used, with a "
             "wider interval",
             gpu.name, gpu.generation == Generation::kAmpere ? "Ampere" : "Hopper"));
  if (gpus > physics::kLargestPublishedJob)
    note(basis, fmt::format("no job of more than {:.0f} GPUs has been published: intervals only",
                            physics::kLargestPublishedJob));
  if (over_network) note_network(basis, gpu);
  return basis;
}

nlohmann::ordered_json json_of(const Basis& basis) {
  return {{"published", basis.published}, {"notes", basis.notes}};
}

void print_basis(const Basis& basis) {
  for (const std::string& each : basis.notes) fmt::print("{}\n", each);
}

}  // namespace gw
