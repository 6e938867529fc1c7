// Benchmarks of reading and writing jobs as JSON: what each submission through the HTTP API costs here.
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "spec/job_json.h"

namespace gw::spec {
namespace {

/// A typical body: 400 bytes.
constexpr const char* kTypical =
    R"({"name":"train-llm","tenant":"acme/vision","command":["torchrun",)"
    R"("--nnodes=4","--nproc-per-node=8","train.py","--config","configs/7b.yaml"],)"
    R"("working_folder":"/home/ada/runs/7b","environment":{"NCCL_DEBUG":"WARN",)"
    R"("OMP_NUM_THREADS":"16"},"output":"logs/%x-%j.out","nodes":4,"gpus":8,)"
    R"("gpu_types":["h100","h200"],"cpus":112,"memory":"1800 GiB","limit":"24h",)"
    R"("checkpoint_interval":"30min"})";

/// As a script of ten lines that a client has turned into a body.
std::string with_script(std::size_t bytes) {
  std::string script = "#!/bin/bash\\n";
  while (script.size() < bytes) script += "srun python -m train --lr 0.001 \\\"$@\\\"\\n";
  return R"({"name":"train","script":")" + script + R"(","launch":"first-node","gpus":8,"limit":"1h"})";
}

void read(benchmark::State& state, const std::string& body) {
  for (auto _ : state) {
    Checked<JobSpec> job = parse_job_json(body);
    GW_CHECK(job.has_value());
    benchmark::DoNotOptimize(job);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
  state.counters["bytes"] = static_cast<double>(body.size());
}

void ReadTypical(benchmark::State& state) { read(state, kTypical); }
BENCHMARK(ReadTypical);

void ReadScript(benchmark::State& state) {
  read(state, with_script(static_cast<std::size_t>(state.range(0))));
}
BENCHMARK(ReadScript)->Arg(1 << 10)->Arg(1 << 14)->Arg(1 << 19);

void WriteTypical(benchmark::State& state) {
  const Checked<JobSpec> job = parse_job_json(kTypical);
  GW_CHECK(job.has_value());
  for (auto _ : state) benchmark::DoNotOptimize(job_json(*job));
}
BENCHMARK(WriteTypical);

void RefuseMistake(benchmark::State& state) {
  std::string body = kTypical;
  body.replace(body.find("\"gpus\""), 6, "\"gpsu\"");
  for (auto _ : state) {
    Checked<JobSpec> job = parse_job_json(body);
    GW_CHECK(!job.has_value());
    benchmark::DoNotOptimize(job);
  }
}
BENCHMARK(RefuseMistake);

}  // namespace
}  // namespace gw::spec

BENCHMARK_MAIN();
