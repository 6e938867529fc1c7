// One measurement a kind, and what bounds it: memory, the simulator's clock, memory and the grid's faces.
#include "physics/throughput.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "physics/collectives.h"

namespace gw::physics {

namespace {

// ResNet-50 v1.5, 224 x 224, mixed precision, one GPU: 2470 img/s on A100 80 GB (2.04 TB/s), 1200 on V100
// 16 GB (0.90 TB/s): 0.82 and 0.75 GB of memory traffic an image, whose mean stands in for other GPUs. Eight
// reach 0.84 (A100) and 0.87 (V100) of eight times one: loading and augmenting images (NVIDIA
// DeepLearningExamples, PyTorch/Classification/ConvNets/resnet50v1.5, container 21.03).
constexpr double kImageBytes = 0.785e9;
constexpr double kLoading = 0.855;
constexpr double kImageFlops = 24.6e9;  // Forward and backward: 6 x 4.1e9 multiply-adds (arXiv:1512.03385).
constexpr double kImageFlopsReached = 0.5;  // Of the dense 16-bit peak, in convolutions.

// Isaac Lab, Isaac-Velocity-Rough-G1-v0, 4096 robots a GPU: 62,000 steps/s with training on one L40 (864
// GB/s), 250,000 on four, 960,000 on sixteen in four nodes (Isaac Lab documentation, performance benchmarks).
constexpr double kRobotSteps = 62'000;
constexpr double kRobotMemoryRate = 864e9;
constexpr double kRobotHorizon = 24;    // Steps between updates of the policy,
constexpr double kRobotExchanges = 20;  // gradient exchanges in one: 5 epochs of 4 batches (RSL RL).

// FluidX3D, D3Q19 in FP32: 153 bytes a cell and step; 0.84 of the memory bandwidth on A100 SXM4 40 GB (8543
// MLUP/s), 0.76 on V100 and A100 PCIe, 0.69 on L40 (README of FluidX3D, single- and multi-GPU tables).
constexpr double kCellBytes = 153;
constexpr double kCellMemory = 0.76;
constexpr double kFaceBytes = 20;  // Five populations of four bytes cross a face for each of its cells.

constexpr ThroughputSource kPerception = {"images", 256, 25.6e6,
                                          "NVIDIA DeepLearningExamples, ResNet-50 v1.5 for PyTorch, 21.03"};
constexpr ThroughputSource kRobotics = {"robot steps", 4096, 0.5e6,
                                        "Isaac Lab documentation, performance benchmarks, G1 on L40"};
constexpr ThroughputSource kCfd = {"cell updates", 200e6, 0, "README of FluidX3D, D3Q19 in FP32"};

/// The cube root, from + - * / alone: equal bits everywhere. Newton's method from above never overshoots.
double cube_root(double value) {
  double root = std::max(1.0, value);
  for (int step = 0; step < 200; ++step) {
    const double next = root - (root - value / (root * root)) / 3;
    if (!(next < root)) break;
    root = next;
  }
  return root;
}

double reduce_s(double parameters, double bytes, std::uint32_t gpus, const Fabric& fabric) {
  return collective_seconds(Collective::kAllReduce, parameters * bytes, group_of(fabric, gpus), fabric);
}

double reduce_bytes(double parameters, double bytes, std::uint32_t gpus, const Fabric& fabric) {
  const Group group = group_of(fabric, gpus);
  if (group.domains() <= 1.0000001) return 0;
  return 2 * parameters * bytes * (group.gpus - 1) / group.gpus / group.per_domain;
}

ThroughputStep perception(double images, double parameters, double cost, const Accelerator& gpu,
                          std::uint32_t gpus) {
  const Fabric fabric = fabric_of(gpu);
  const double memory = kImageBytes * cost / gpu.memory_bytes_s;
  const double flops =
      gpu.dense_16bit_flops > 0 ? kImageFlops * cost / (gpu.dense_16bit_flops * kImageFlopsReached) : 0;
  const double computing = images * std::max(memory, flops) / (gpus > 1 ? kLoading : 1);
  // Gradients in 32 bits; the backward pass, two thirds of the computing, hides what it can of their
  // exchange.
  const double exchange = reduce_s(parameters, 4, gpus, fabric);
  return {computing + std::max(0.0, exchange - computing * 2 / 3), images * gpus,
          reduce_bytes(parameters, 4, gpus, fabric)};
}

ThroughputStep robotics(double robots, double parameters, double cost, const Accelerator& gpu,
                        std::uint32_t gpus, double clock) {
  const Fabric fabric = fabric_of(gpu);
  // Between bound by latency (the same everywhere) and by memory: the root of the bandwidths' ratio.
  const double rate = kRobotSteps / cost * std::sqrt(gpu.memory_bytes_s / kRobotMemoryRate) * clock;
  const double steps = robots * kRobotHorizon;
  return {steps / rate + kRobotExchanges * reduce_s(parameters, 4, gpus, fabric), steps * gpus,
          kRobotExchanges * reduce_bytes(parameters, 4, gpus, fabric)};
}

ThroughputStep fluid(double cells, double cost, const Accelerator& gpu, std::uint32_t gpus) {
  const double update = cells * cost * kCellBytes / (gpu.memory_bytes_s * kCellMemory);
  if (gpus <= 1) return {update, cells, 0};
  // Each GPU has a cube, and exchanges its six faces (fewer GPUs have fewer neighbours) after each step.
  const Fabric fabric = fabric_of(gpu);
  const double side = cube_root(cells);
  const double faces = std::min(6.0, double{2} * (gpus - 1));
  const double bytes = faces * side * side * kFaceBytes;
  // The faces of a domain's block go over the network, the others over its own links.
  const Group group = group_of(fabric, gpus);
  double network = 0;
  if (group.domains() > 1.0000001) {
    const double block = side * cube_root(group.per_domain);
    network = std::min(
        bytes, std::min(6.0, 2 * (group.domains() - 1)) * block * block * kFaceBytes / group.per_domain);
  }
  const double inside = bytes - network;
  double exchange = 0;
  if (network > 0) exchange += collective_seconds(Collective::kSendReceive, network, {2, 1}, fabric);
  if (inside > 0 && group.per_domain > 1)
    exchange += collective_seconds(Collective::kSendReceive, inside, {2, 2}, fabric);
  return {update + exchange, cells * gpus, network};
}

}  // namespace

const ThroughputSource& throughput_source(WorkKind kind) {
  GW_CHECK(kind == WorkKind::kPerception || kind == WorkKind::kRobotics || kind == WorkKind::kCfd);
  if (kind == WorkKind::kPerception) return kPerception;
  return kind == WorkKind::kRobotics ? kRobotics : kCfd;
}

ThroughputStep throughput_step(const WorkProfile& work, const Accelerator& gpu, std::uint32_t gpus,
                               double clock) {
  const ThroughputSource& source = throughput_source(work.kind);
  const double per_gpu = work.per_gpu > 0 ? work.per_gpu : source.per_gpu;
  const double parameters = work.parameters > 0 ? work.parameters : source.parameters;
  switch (work.kind) {
    case WorkKind::kPerception:
      return perception(per_gpu, parameters, work.cost, gpu, gpus);
    case WorkKind::kRobotics:
      return robotics(per_gpu, parameters, work.cost, gpu, gpus, clock);
    default:
      return fluid(per_gpu, work.cost, gpu, gpus);
  }
}

}  // namespace gw::physics
