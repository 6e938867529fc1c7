// Bytes over the narrowest way to storage.
#include "physics/checkpoint.h"

#include <algorithm>

#include "base/check.h"
#include "physics/calibration.h"
#include "physics/memory.h"

namespace gw::physics {

double checkpoint_bytes(const ModelShape& model) {
  const TrainingMemory memory =
      training_memory(model, Layout{}, 1, Precision::kBf16, Accelerator{}, stacks().front());
  return memory.weights + memory.optimizer;
}

CheckpointTimes checkpoint_times(double bytes, double gpus, double nodes, const CheckpointStorage& storage) {
  GW_CHECK(gpus > 0 && nodes > 0 && storage.total_bytes_s > 0);
  double rate = storage.total_bytes_s;
  if (storage.node_bytes_s > 0) rate = std::min(rate, storage.node_bytes_s * nodes);
  CheckpointTimes times;
  times.bytes = bytes;
  times.read_s = bytes / rate;
  if (storage.snapshot_gpu_bytes_s > 0) {
    times.pause_s = bytes / gpus / storage.snapshot_gpu_bytes_s;
    times.behind_s = bytes / rate;
  } else {
    times.pause_s = bytes / rate;
  }
  return times;
}

double usual_node_storage(const Accelerator& gpu, double gpus_per_node) {
  return gpu.network_bytes_s * gpus_per_node / 4;
}

}  // namespace gw::physics
