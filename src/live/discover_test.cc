// What a machine has is found where it says so, and becomes a fleet that holds together.
#include "live/discover.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "live/local_engine_cores.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const spec::Catalog& catalog() {
  static const spec::Catalog read = spec::read_catalog(GW_SOURCE_DIR "/catalog").value();
  return read;
}

FoundGpu gpu_of(const std::string& name, std::int64_t memory_mib) {
  FoundGpu gpu;
  gpu.name = name;
  gpu.memory = Bytes{memory_mib << 20};
  return gpu;
}

std::string key_of(const std::string& name, std::int64_t memory_mib) {
  const spec::GpuEntry* entry = find_gpu(gpu_of(name, memory_mib), catalog());
  return entry != nullptr ? entry->type.name : "";
}

class DiscoverTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = testing::TempDir() + "gigawerk-discover-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    places_.system = folder_;
    places_.nvml = (folder_ / "no-library.so").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text;
  }

  /// Builds a library that answers as NVML does. Each GPU: name, UUID, MiB, watts, number of its device node.
  /// False: there is no compiler here.
  bool build_nvml(const std::string& gpus, const std::string& init = "0") {
    write("nvml.c", R"(
#include <string.h>
struct gpu { const char* name; const char* uuid; unsigned long long mib; unsigned watts; unsigned minor; };
static struct gpu gpus[] = {)" +
                        gpus + R"(};
static int open_sessions = 0;
int nvmlInit_v2(void) { if ()" +
                        init + R"() return )" + init + R"(; ++open_sessions; return 0; }
int nvmlShutdown(void) { --open_sessions; return 0; }
const char* nvmlErrorString(int status) { return status == 9 ? "Driver Not Loaded" : "Unknown Error"; }
int nvmlDeviceGetCount_v2(unsigned* count) { *count = sizeof gpus / sizeof gpus[0]; return open_sessions == 1 ? 0 : 1; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu** device) {
  *device = gpus + index;
  return gpus[index].name == 0 ? 15 : 0;  /* 15: GPU is lost. */
}
static int copy(const char* from, char* to, unsigned size) {
  if (strlen(from) + 1 > size) return 7;
  strcpy(to, from);
  return 0;
}
int nvmlDeviceGetName(struct gpu* gpu, char* text, unsigned size) { return copy(gpu->name, text, size); }
int nvmlDeviceGetUUID(struct gpu* gpu, char* text, unsigned size) { return copy(gpu->uuid, text, size); }
int nvmlDeviceGetMemoryInfo(struct gpu* gpu, unsigned long long* memory) {
  memory[0] = gpu->mib << 20; memory[1] = 1; memory[2] = 2;
  return 0;
}
int nvmlDeviceGetMinorNumber(struct gpu* gpu, unsigned* minor) { *minor = gpu->minor; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(struct gpu* gpu, unsigned* limit) { *limit = gpu->watts * 1000; return gpu->watts ? 0 : 3; }
)");
    static int number = 0;
    places_.nvml = (folder_ / fmt::format("libnvidia-ml-{}.so", ++number)).string();
    return std::system(fmt::format("cc -shared -fPIC -o {} {} 2>/dev/null", places_.nvml,
                                   (folder_ / "nvml.c").string())
                           .c_str()) == 0;
  }

  fs::path folder_;
  DiscoverPlaces places_;
};

TEST(Discover, TheMachineThatTheTestsRunOnHasSomething) {
  const FoundMachine machine = discover_machine();
  EXPECT_NE(machine.host, "");
  EXPECT_GE(machine.cpu_milli, 1);
  EXPECT_GT(machine.memory_mib, 100);
  EXPECT_GE(machine.numa_nodes, 1U);
  EXPECT_EQ(machine.gpus.empty(), !machine.no_gpus.empty());
  const MachineFleet result = machine_fleet(machine, catalog());
  EXPECT_EQ(check_fleet(result.fleet), "");
  EXPECT_EQ(result.fleet.nodes(), 1U);
  EXPECT_EQ(result.fleet.gpus(), result.gpus.size());
}

TEST_F(DiscoverTest, ReadsMemoryAndNodes) {
  write("proc/meminfo", "MemTotal:       65536000 kB\nMemFree:  1 kB\n");
  for (const char* node : {"node0", "node1", "node12"})
    fs::create_directories(folder_ / "sys/devices/system/node" / node);
  write("sys/devices/system/node/possible", "0-12\n");
  const FoundMachine machine = discover_machine(places_);
  EXPECT_EQ(machine.memory_mib, 64'000);
  EXPECT_EQ(machine.numa_nodes, 3U);
  EXPECT_EQ(machine.cpu_milli, static_cast<std::int64_t>(usable_cores().size()) * 1000);
  EXPECT_THAT(machine.no_gpus, HasSubstr("no NVIDIA driver is installed"));
}

TEST_F(DiscoverTest, ControlGroupsAboveWithhold) {
  write("proc/meminfo", "MemTotal:       65536000 kB\n");
  write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  write("proc/self/cgroup", "0::/user.slice/app\n");
  write("sys/fs/cgroup/user.slice/app/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/user.slice/app/memory.max", "max\n");
  write("sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
  write("sys/fs/cgroup/user.slice/memory.max", "2147483648\n");
  const FoundMachine machine = discover_machine(places_);
  EXPECT_EQ(machine.cpu_milli, 500);
  EXPECT_EQ(machine.memory_mib, 2048);
}

TEST_F(DiscoverTest, AsksTheDriverForGpus) {
  if (!build_nvml(
          R"({"NVIDIA H100 80GB HBM3", "GPU-aaaa", 81559, 700, 1}, {0}, {"NVIDIA H100 80GB HBM3", "GPU-bbbb", 81559, 0, 0})"))
    GTEST_SKIP() << "no C compiler is at hand to build a driver's likeness";
  const FoundMachine machine = discover_machine(places_);
  EXPECT_EQ(machine.no_gpus, "");
  ASSERT_EQ(machine.gpus.size(), 2U) << "one is lost";
  EXPECT_EQ(machine.gpus[0].name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(machine.gpus[0].uuid, "GPU-aaaa");
  EXPECT_EQ(machine.gpus[0].memory, Bytes{81559LL << 20});
  EXPECT_EQ(machine.gpus[0].power_limit, Milliwatts{700'000});
  EXPECT_EQ(machine.gpus[0].device, 1U);
  EXPECT_EQ(machine.gpus[1].index, 2U);
  EXPECT_EQ(machine.gpus[1].power_limit, Milliwatts{0});
  const MachineFleet result = machine_fleet(machine, catalog());
  EXPECT_EQ(check_fleet(result.fleet), "");
  EXPECT_EQ(result.fleet.gpus(), 2U);
  ASSERT_EQ(result.fleet.gpu_types.size(), 1U);
  EXPECT_EQ(result.fleet.gpu_types[0].name, "h100");
  EXPECT_EQ(result.fleet.node_types[0].power_max, Milliwatts{1'400'000});
  EXPECT_EQ(result.gpus[0].name, "GPU-aaaa");
  EXPECT_EQ(result.gpus[0].device, 1U);
  EXPECT_EQ(result.note, "");
}

TEST_F(DiscoverTest, ADriverThatDoesNotAnswerIsTold) {
  if (!build_nvml(R"({"x", "y", 1, 1, 1})", "9")) GTEST_SKIP() << "no C compiler is at hand";
  EXPECT_THAT(discover_machine(places_).no_gpus, HasSubstr("the driver does not answer: Driver Not Loaded"));
  places_.nvml = "libc.so.6";
  EXPECT_THAT(discover_machine(places_).no_gpus, HasSubstr("no NVIDIA management library"));
}

TEST(FindGpu, KnowsTheNamesThatDriversUse) {
  EXPECT_EQ(key_of("NVIDIA H100 80GB HBM3", 81559), "h100");
  EXPECT_EQ(key_of("NVIDIA H100 PCIe", 81559), "h100-pcie");
  EXPECT_EQ(key_of("NVIDIA A100-SXM4-80GB", 81920), "a100");
  EXPECT_EQ(key_of("NVIDIA A100-SXM4-40GB", 40960), "a100-40gb");
  EXPECT_EQ(key_of("NVIDIA H200", 143771), "h200");
  EXPECT_EQ(key_of("NVIDIA B200", 183359), "b200");
  EXPECT_EQ(key_of("NVIDIA L40S", 46068), "l40s");
  EXPECT_EQ(key_of("Tesla T4", 15360), "t4");
  EXPECT_EQ(key_of("Tesla V100-SXM2-32GB", 32768), "v100");
  EXPECT_EQ(key_of("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887), "rtx-pro-6000");
  EXPECT_EQ(key_of("Tesla V100-SXM2-16GB", 16384), "") << "half the memory of what the catalog has";
  EXPECT_EQ(key_of("NVIDIA GeForce RTX 4090", 24564), "");
}

TEST(MachineFleet, WhatTheCatalogDoesNotKnowIsATypeOfItsOwn) {
  FoundMachine machine;
  machine.host = "box";
  machine.cpu_milli = 8000;
  machine.memory_mib = 1000;
  machine.gpus = {gpu_of("NVIDIA GeForce RTX 4090", 24564)};
  const MachineFleet result = machine_fleet(machine, catalog());
  EXPECT_EQ(check_fleet(result.fleet), "");
  EXPECT_EQ(result.fleet.gpu_types[0].name, "geforce-rtx-4090");
  EXPECT_EQ(result.fleet.gpu_types[0].memory, Bytes{24564LL << 20});
  EXPECT_EQ(result.gpus[0].name, "0");
  machine.gpus.clear();
  const MachineFleet none = machine_fleet(machine, catalog());
  EXPECT_EQ(check_fleet(none.fleet), "");
  EXPECT_EQ(none.fleet.node_types[0].gpu_type, NodeType::kNoGpu);
  EXPECT_EQ(none.fleet.node_types[0].cpu_milli, 8000);
}

TEST(MachineFleet, ANodeHasGpusOfOneType) {
  FoundMachine machine;
  machine.host = "box";
  machine.gpus = {gpu_of("Tesla T4", 15360), gpu_of("NVIDIA L40S", 46068), gpu_of("NVIDIA L40S", 46068)};
  machine.gpus[1].uuid = "GPU-1";
  machine.gpus[2].uuid = "GPU-2";
  const MachineFleet result = machine_fleet(machine, catalog());
  EXPECT_EQ(check_fleet(result.fleet), "");
  EXPECT_EQ(result.fleet.gpu_types[0].name, "l40s");
  ASSERT_EQ(result.gpus.size(), 2U);
  EXPECT_EQ(result.gpus[0].name, "GPU-1");
  EXPECT_THAT(result.note, HasSubstr("1 of 3 GPUs"));
  machine.gpus.assign(70, gpu_of("Tesla T4", 15360));
  EXPECT_EQ(machine_fleet(machine, catalog()).fleet.gpus(), 64U);
}

}  // namespace
}  // namespace gw::live
