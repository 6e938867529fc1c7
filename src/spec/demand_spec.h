// Tenants, workload, policy and faults as their file says them, and how they become the model's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/faults.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "model/power_schedule.h"
#include "model/tenant.h"
#include "model/window.h"
#include "model/workload_mix.h"
#include "spec/catalog.h"
#include "spec/described.h"
#include "spec/diagnostic.h"
#include "spec/fleet_spec.h"

namespace gw::spec {

struct QuotaSpec {
  static constexpr std::string_view kRecord = "quota";
  static constexpr std::string_view kHelp =
      "What a tenant with all below it is entitled to and held to, in GPUs of one type or in "
      "GPU-equivalents.";
  Located<std::string> of{"all", {}};
  double guaranteed = 0;
  std::optional<double> borrow;
  std::optional<double> lend;
  std::optional<double> limit;
  Mark at;
};

struct BudgetSpec {
  static constexpr std::string_view kRecord = "budget";
  static constexpr std::string_view kHelp =
      "What a tenant with all below it may use in a month (30 days of a simulated run).";
  double gpu_hours = 0;
  std::string action = "stop-new";
};

struct TenantSpec {
  static constexpr std::string_view kRecord = "tenant";
  static constexpr std::string_view kHelp =
      "Who shares the fleet: an organisation, a project or a person, to any depth.";
  std::string name;
  std::string kind;
  std::string home;
  std::vector<std::string> ownership;
  std::uint32_t count = 1;
  std::uint32_t weight = 1;
  std::optional<double> load;
  Shares classes;
  std::vector<QuotaSpec> quota;
  std::optional<BudgetSpec> budget;
  std::vector<TenantSpec> projects;
  Mark at;
};

struct StartSpec {
  static constexpr std::string_view kRecord = "start";
  static constexpr std::string_view kHelp = "Local time at the run's zero.";
  std::string weekday = "monday";
  double hour = 0;
  std::string date;
  Mark at;
};

struct WorkloadSpec {
  static constexpr std::string_view kRecord = "workload";
  static constexpr std::string_view kHelp = "How long the demand lasts and how large it is in all.";
  Nanoseconds duration = days(28);
  StartSpec start;
  std::optional<double> load;
  Mark at;
};

struct PolicySpec {
  static constexpr std::string_view kRecord = "policy";
  static constexpr std::string_view kHelp =
      "How the scheduler decides: a named policy, perhaps with other settings.";
  std::string name = "gigawerk";
  std::optional<std::string> order;
  std::optional<std::string> backfill;
  std::optional<std::string> placement;
  std::optional<Nanoseconds> half_life;
  std::optional<Nanoseconds> commitment;
  std::optional<Nanoseconds> charge_interval;
  std::optional<Nanoseconds> age_per_priority;
  std::optional<Nanoseconds> patience;
  std::optional<std::string> preemption;
  std::optional<std::string> reclaim_to;
  std::optional<Nanoseconds> protected_run_time;
  std::optional<Nanoseconds> grace;
  std::optional<Nanoseconds> restart_estimate;
  std::optional<bool> shrink_for_waiting;
  std::optional<Nanoseconds> resize_interval;
  Mark at;
};

struct RepairSpec {
  static constexpr std::string_view kRecord = "repair";
  static constexpr std::string_view kHelp = "How long a failed node is away: log-normal.";
  double median_s = published_faults().repair_median_s;
  double sigma = published_faults().repair_sigma;
};

struct FaultsSpec {
  static constexpr std::string_view kRecord = "faults";
  static constexpr std::string_view kHelp =
      "How often nodes fail; `faults: {}` takes the published rate. Left out: never.";
  std::string rates = "uniform";
  double node_failures_per_1000_node_days = published_faults().node_failures_per_1000_node_days;
  RepairSpec repair;
  Nanoseconds restart = published_faults().restart_time;
};

struct ReservationSpec {
  static constexpr std::string_view kRecord = "reservation";
  static constexpr std::string_view kHelp =
      "Nodes that only one tenant's jobs may use for a time (or nobody's: maintenance). It is asked for "
      "while the simulation runs, and refused where it cannot be.";
  std::string name;
  Located<std::string> tenant;
  bool maintenance = false;
  std::optional<std::uint32_t> nodes;
  std::optional<std::uint32_t> gpus;
  Located<std::string> type;
  Located<std::string> level;
  Nanoseconds from{0};
  Nanoseconds length{0};
  std::optional<Nanoseconds> every;
  std::optional<Nanoseconds> until;
  std::optional<Nanoseconds> made;
  bool preempt = false;
  Mark at;
};

struct CapEventSpec {
  static constexpr std::string_view kRecord = "cap_event";
  static constexpr std::string_view kHelp = "A grid event, a failed feed, a cooling fault.";
  Nanoseconds start;
  Located<std::string> feed;
  Milliwatts cap;
  std::optional<Nanoseconds> duration;
  std::string reason;
  Mark at;
};

struct EnergyStepSpec {
  static constexpr std::string_view kRecord = "energy_step";
  static constexpr std::string_view kHelp = "What energy costs, or emits, from a time on.";
  Nanoseconds start;
  double value = 0;
};

struct EnergyCurveSpec {
  static constexpr std::string_view kRecord = "energy_curve";
  static constexpr std::string_view kHelp = "Prices or carbon of a site's energy over time.";
  std::optional<Located<std::string>> site;
  std::vector<double> daily;
  std::vector<EnergyStepSpec> steps;
  Mark at;
};

struct PowerSpec {
  static constexpr std::string_view kRecord = "power";
  static constexpr std::string_view kHelp =
      "Caps of feeds that change with time, and by which draw jobs are planned.";
  std::string predict = "peak";
  std::vector<CapEventSpec> events;
  Nanoseconds reaction = PowerSchedule{}.reaction;
  Nanoseconds delay = PowerSchedule{}.delay;
  std::vector<EnergyCurveSpec> price;
  std::vector<EnergyCurveSpec> carbon;
  std::optional<double> carbon_price;
  bool shift = true;
};

struct ScenarioFile {
  static constexpr std::string_view kRecord = "scenario";
  static constexpr std::string_view kHelp =
      "A factory and its demand; with only `gigawerk` and `fleet`, a fleet.";
  std::uint32_t gigawerk = 1;
  std::string name;
  std::string title;
  std::uint64_t seed = 1;
  FleetSpec fleet;
  std::optional<std::vector<Override<RuleSpec>>> rules;
  std::vector<CountryGroupSpec> country_groups;
  std::vector<std::string> data_classes;
  std::vector<std::string> tenant_kinds;
  std::vector<TenantSpec> tenants;
  WorkloadSpec workload;
  std::vector<Override<RhythmSpec>> rhythms;
  std::vector<Override<JobClassSpec>> classes;
  PolicySpec policy;
  std::optional<FaultsSpec> faults;
  std::vector<ReservationSpec> reservations;
  PowerSpec power;
  bool physics = true;
};

/// Adds the tenants that `file` names to `tenants` and their demand, in GPUs of `fleet`, to `mix.tenants`;
/// the classes they name are found in `mix.classes`.
void build_tenants(const ScenarioFile& file, const Fleet& fleet, std::uint32_t max_tenants,
                   TenantTree& tenants, WorkloadMix& mix, Findings& findings);

/// The catalog's classes and rhythms with the file's changes and additions, checked against the fleet.
void build_classes(const ScenarioFile& file, const Catalog& catalog, WorkloadMix& mix, Findings& findings);

/// Warns about demanded classes that the fleet cannot run as they are.
void check_demand(const Fleet& fleet, const ScenarioFile& file, const WorkloadMix& mix, Findings& findings);

PolicyConfig build_policy(const PolicySpec& spec, Findings& findings);
/// What the file reserves; those that repeat without an end do so as long as jobs arrive.
std::vector<Reservation> build_reservations(const ScenarioFile& file, const Fleet& fleet,
                                            const TenantTree& tenants, Findings& findings);
FaultSpec build_faults(const std::optional<FaultsSpec>& spec);

/// The events with the feeds they name; where jobs are planned by what they draw typically, the classes of
/// `mix` say so.
PowerSchedule build_power(const PowerSpec& spec, const Fleet& fleet, WorkloadMix& mix, Findings& findings);

/// 0 = Monday.
std::uint32_t weekday_index(std::string_view weekday);

}  // namespace gw::spec
