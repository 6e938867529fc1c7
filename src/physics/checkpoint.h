// What a checkpoint costs: its bytes, how long the job pauses for it, when it is safe, how long reading
// takes.
#pragma once

#include "physics/accelerator.h"
#include "physics/model_shape.h"

namespace gw::physics {

/// Where checkpoints go. Bytes per second; of one node: through its own network ports.
struct CheckpointStorage {
  double total_bytes_s = 0;
  double node_bytes_s = 0;
  /// From the GPU to its host's memory; 0: the job waits until all is written.
  double snapshot_gpu_bytes_s = 0;
};

struct CheckpointTimes {
  double bytes = 0;
  double pause_s = 0;  ///< The job stands still: all of a synchronous write, the copy of an asynchronous one.
  double behind_s = 0;  ///< From the end of the pause until the checkpoint can be read.
  double read_s = 0;
};

/// Weights and optimizer state, as `training_memory` counts them on one GPU without sharding.
[[nodiscard]] double checkpoint_bytes(const ModelShape& model);

/// Every GPU writes its own part. `nodes`, `gpus`, `bytes` and the total bandwidth must be above zero.
[[nodiscard]] CheckpointTimes checkpoint_times(double bytes, double gpus, double nodes,
                                               const CheckpointStorage& storage);

/// What a node of that type can move to storage: a quarter of its network, our own figure.
[[nodiscard]] double usual_node_storage(const Accelerator& gpu, double gpus_per_node);

/// From a GPU to host memory while others do the same, bytes per second: our own figure, about a third of
/// PCIe.
inline constexpr double kSnapshotGpuBytesS = 10e9;

}  // namespace gw::physics
