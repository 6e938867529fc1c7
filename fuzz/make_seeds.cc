// Writes the seeds of the snapshot and journal fuzzers anew, for when their formats change.
//
//   build/release/fuzz/make_seeds fuzz/corpus
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/check.h"
#include "runtime/journal.h"
#include "sched/random_case.h"

namespace {

using gw::sched::random_case::Driver;

/// The state in the middle of a small random workload, behind the byte that names policy and fleet.
std::string snapshot_seed(std::size_t policy_index, std::uint64_t fleet_seed) {
  const std::vector<gw::PolicyName>& policies = gw::policy_names();
  gw::Rng rng(fleet_seed);
  gw::Fleet fleet = gw::sched::random_case::random_fleet(rng);
  if (fleet_seed == 0) fleet = gw::flat_fleet(12);
  gw::Rng workload_rng(7 + fleet_seed);
  gw::sched::random_case::WorkloadWish wish;
  wish.jobs = 24;
  const auto workload = gw::sched::random_case::random_workload(workload_rng, fleet, wish);
  gw::sched::Core core(fleet, *gw::policy_by_name(policies[policy_index].name));
  Driver driver(workload);
  for (int step = 0; step < 20 && !driver.done(); ++step) {
    for (const gw::sched::Event& event : driver.next()) core.apply(event, driver.now());
    driver.planned(core.plan(driver.now()));
  }
  return static_cast<char>(policy_index + fleet_seed * policies.size()) + core.snapshot();
}

/// A whole small run with a snapshot every few batches.
void write_journal(const std::filesystem::path& path, std::string_view policy_name) {
  gw::Rng rng(3);
  gw::sched::random_case::FleetWish fleet_wish;
  const gw::Fleet fleet = gw::sched::random_case::random_fleet(rng, fleet_wish);
  gw::sched::random_case::WorkloadWish wish;
  wish.jobs = 12;
  const auto workload = gw::sched::random_case::random_workload(rng, fleet, wish);
  const gw::PolicyConfig policy = *gw::policy_by_name(policy_name);
  auto journal = gw::runtime::JournalWriter::create(path.string(), {"seed", fleet, policy}, 5);
  GW_CHECK(journal.has_value());
  gw::sched::Core core(fleet, policy);
  Driver driver(workload);
  int batches = 0;
  while (!driver.done()) {
    const std::vector<gw::sched::Event> events = driver.next();
    GW_CHECK((*journal)->append_events(driver.now(), events).has_value());
    for (const gw::sched::Event& event : events) core.apply(event, driver.now());
    const gw::sched::Plan& plan = core.plan(driver.now());
    GW_CHECK((*journal)->append_plan(driver.now(), plan).has_value());
    driver.planned(plan);
    if (++batches % 8 == 0) GW_CHECK((*journal)->append_snapshot(driver.now(), core.snapshot()).has_value());
  }
  GW_CHECK((*journal)->close().has_value());
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 2) {
    std::fputs("usage: make_seeds CORPUS_FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path corpus = arguments[1];
  const std::vector<gw::PolicyName>& policies = gw::policy_names();
  for (std::size_t policy = 0; policy < policies.size(); ++policy) {
    for (std::uint64_t fleet = 0; fleet < 2; ++fleet) {
      const std::string name = std::string(policies[policy].name) + "-" + std::to_string(fleet) + ".snapshot";
      std::ofstream(corpus / "sched_snapshot" / name, std::ios::binary) << snapshot_seed(policy, fleet);
    }
  }
  for (const char* policy : {"gigawerk", "easy", "conservative"})
    write_journal(corpus / "runtime_journal" / (std::string(policy) + ".journal"), policy);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "make_seeds: %s\n", error.what());
  return 1;
}
