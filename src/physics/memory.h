// Memory of one GPU in training, by category, and whether it fits.
#pragma once

#include "physics/calibration.h"
#include "physics/layout.h"

namespace gw::physics {

/// Bytes on the fullest GPU.
struct TrainingMemory {
  double weights = 0;
  double gradients = 0;
  double optimizer = 0;
  double activations = 0;
  double logits = 0;
  double buffers = 0;  ///< Gathered weights of sharded layers, communication and workspaces.
  double total = 0;
  double available = 0;  ///< What the GPU leaves to the program.

  [[nodiscard]] bool fits() const { return total <= available; }
  [[nodiscard]] double short_by() const { return fits() ? 0 : total - available; }
};

/// `sequence`: tokens of one sequence. The stack says whether scores are kept and how wide gradients are.
[[nodiscard]] TrainingMemory training_memory(const ModelShape& model, const Layout& layout, double sequence,
                                             Precision precision, const Accelerator& gpu, const Stack& stack);

}  // namespace gw::physics
