// Benchmarks of physics: one step time, one collective, and the search over all layouts of a large run.
#include <benchmark/benchmark.h>

#include "physics/sample_gpu.h"
#include "physics/search.h"

namespace gw::physics {
namespace {

/// Llama 3 405B.
ModelShape dense_model() {
  ModelShape model;
  model.name = "llama-3-405b";
  model.layers = 126;
  model.hidden = 16384;
  model.ffn = 53248;
  model.heads = 128;
  model.kv_heads = 8;
  model.head_size = 128;
  model.vocabulary = 128256;
  model.gated = true;
  return model;
}

/// A mixture of DeepSeek V3's size, with plain attention.
ModelShape mixture_model() {
  ModelShape model = dense_model();
  model.name = "mixture";
  model.layers = 61;
  model.hidden = 7168;
  model.ffn = 18432;
  model.experts = {.count = 256, .active = 8, .shared = 1, .ffn = 2048, .dense_layers = 3};
  return model;
}

void step(benchmark::State& state, const ModelShape& model, std::uint32_t expert) {
  const Accelerator gpu = sample_h100();
  TrainingRun run;
  run.model = &model;
  run.gpu = &gpu;
  run.stack = default_stack(gpu.generation);
  run.layout = {.tensor = 8, .pipeline = 16, .data = 128, .expert = expert};
  run.sequence = 8192;
  run.global_batch = 2048;
  for (auto _ : state) benchmark::DoNotOptimize(step_time(run, published_calibration()).total);
}

void DenseStep(benchmark::State& state) { step(state, dense_model(), 1); }
BENCHMARK(DenseStep);

void MixtureStep(benchmark::State& state) { step(state, mixture_model(), 64); }
BENCHMARK(MixtureStep);

void AllReduce(benchmark::State& state) {
  const Fabric fabric = fabric_of(sample_h100());
  const Group group = group_of(fabric, 1024);
  for (auto _ : state) {
    double bytes = 1e9;
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(collective_seconds(Collective::kAllReduce, bytes, group, fabric));
  }
}
BENCHMARK(AllReduce);

void search(benchmark::State& state, const ModelShape& model) {
  const Accelerator gpu = sample_h100();
  SearchOptions options;
  options.model = &model;
  options.gpu = &gpu;
  options.stack = default_stack(gpu.generation);
  options.sequence = 8192;
  options.gpus = static_cast<std::uint32_t>(state.range(0));
  options.global_batch = 2048;
  std::uint64_t layouts = 0;
  for (auto _ : state) {
    const SearchResult found = search_layouts(options, published_calibration());
    layouts = found.timed + found.too_large;
    benchmark::DoNotOptimize(found.best.size());
  }
  state.counters["layouts"] = static_cast<double>(layouts);
}

void DenseSearch(benchmark::State& state) { search(state, dense_model()); }
BENCHMARK(DenseSearch)->Arg(1024)->Arg(16384)->Unit(benchmark::kMillisecond);

void MixtureSearch(benchmark::State& state) { search(state, mixture_model()); }
BENCHMARK(MixtureSearch)->Arg(1024)->Arg(16384)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gw::physics

BENCHMARK_MAIN();
