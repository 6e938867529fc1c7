// What binds a job that fits no open node, told by searching again with one wish less at a time.
#include "sched/pass.h"

namespace gw::sched {

Reason placement_reason(const State& state, const Job& job) {
  const Shape& shape = job.request.shape;
  if (shape.gpus == 0 && shape.gpu_milli == 0) return Reason::kSideResources;
  bool enough = false;
  bool nodes = false;
  bool dark = false;
  bool alone = false;  // Would fit if CPU and memory were no object.
  Shape gpus_only = shape;
  gpus_only.cpu_milli = gpus_only.memory_mib = 0;
  Shape anywhere_in_fabric = gpus_only;
  anywhere_in_fabric.level_required = false;
  anywhere_in_fabric.segment_nodes = 0;
  anywhere_in_fabric.spread_level = Shape::kAnyLevel;
  bool closer = false;  // Would fit if it need not keep apart.
  Shape not_apart = gpus_only;
  not_apart.spread_level = Shape::kAnyLevel;
  for (const std::uint32_t pool_index : state.classes[job.shape_class].pools) {
    const Pool& pool = *state.pools[pool_index];
    const std::int64_t free_milli = pool.free_gpus(View::kOpen) * 1000 + pool.partial_free_milli();
    enough |= free_milli >= shape.total_gpu_milli();
    dark |= pool.dark_gpus() > 0 && free_milli + pool.dark_gpus() * 1000 >= shape.total_gpu_milli();
    nodes |= pool.place(anywhere_in_fabric, View::kOpen, state.policy.placement).has_value();
    alone |= pool.place(gpus_only, View::kOpen, state.policy.placement).has_value();
    closer |= shape.spread_required && pool.place(not_apart, View::kOpen, state.policy.placement).has_value();
  }
  if (alone) return Reason::kSideResources;
  if (closer) return Reason::kSpread;
  if (nodes) return Reason::kTopology;
  if (dark) return Reason::kPower;
  return enough ? Reason::kFragmentation : Reason::kCapacity;
}

}  // namespace gw::sched
