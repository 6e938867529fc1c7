// The fields of tenants, workload, policy and faults: one description for the reader, the schema and the
// reference.
#pragma once

#include "spec/catalog_fields.h"
#include "spec/demand_spec.h"
#include "spec/fleet_fields.h"

namespace gw::spec {

inline constexpr std::string_view kWeekdays[] = {"monday", "tuesday",  "wednesday", "thursday",
                                                 "friday", "saturday", "sunday"};
inline constexpr std::string_view kOrders[] = {"fifo", "shortest-first", "priority-age", "fair-share"};
inline constexpr std::string_view kBackfills[] = {"none", "easy", "conservative"};
inline constexpr std::string_view kPlacements[] = {"first-fit", "smallest-span"};
inline constexpr std::string_view kPredicts[] = {"peak", "typical"};
inline constexpr double kLongestTimeNs = 3.2e18;  // About a century.
inline constexpr double kLongestProtectionNs = 366 * 86'400e9;

inline constexpr std::string_view kPreemptions[] = {"none", "reclaim", "priority", "reclaim-and-priority"};
inline constexpr std::string_view kReclaimTargets[] = {"guarantee", "fair-share"};
inline constexpr std::string_view kBudgetActions[] = {"warn", "stop-new", "stop-all"};

template <class Visitor>
void describe(Visitor& visit, QuotaSpec& quota) {
  constexpr double kMost = 1e9;
  visit.field(
      "of", quota.of,
      {.help = "`all` (GPU-equivalents: each GPU counts for its type's `equivalents`), or a GPU type.",
       .default_text = "all"});
  visit.field("guaranteed", quota.guaranteed,
              {.help = "GPUs that are its own whenever it asks: who borrows them gives them back. Carved out "
                       "of its parent's.",
               .min = 0,
               .max = kMost});
  visit.field("borrow", quota.borrow,
              {.help = "GPUs that it may use at most beyond what is guaranteed.",
               .min = 0,
               .max = kMost,
               .default_text = "whatever is free"});
  visit.field("lend", quota.lend,
              {.help = "GPUs of what is guaranteed to it that others get at most while it does not use them.",
               .min = 0,
               .max = kMost,
               .default_text = "all of them"});
  visit.field(
      "limit", quota.limit,
      {.help = "GPUs that it may use at most in all.", .min = 0, .max = kMost, .default_text = "none"});
}

template <class Visitor>
void describe(Visitor& visit, BudgetSpec& budget) {
  visit.field("gpu_hours", budget.gpu_hours,
              {.help = "GPU-hours in a month.", .required = true, .min = 0, .max = 1e12, .above_min = true});
  visit.field(
      "action", budget.action,
      {.help = "Once it is spent: only warn; start nothing new; or let what runs save its work and wait "
               "for the next month too.",
       .choices = kBudgetActions});
}

template <class Visitor>
void describe(Visitor& visit, TenantSpec& tenant) {
  visit.field("name", tenant.name,
              {.help = "Unique among its siblings; with `count` above 1, a number is added.",
               .required = true,
               .text = Text::kName});
  visit.field(
      "kind", tenant.kind,
      {.help = "manufacturer, mittelstand, research, robotics, inference, ...; for reports and rules.",
       .text = Text::kName,
       .default_text = "its parent's"});
  visit.field("home", tenant.home,
              {.help = "Home jurisdiction, ISO 3166-1 alpha-2.",
               .text = Text::kCountry,
               .default_text = "its parent's"});
  visit.field("ownership", tenant.ownership,
              {.help = "Countries of its owners, ISO 3166-1 alpha-2.",
               .text = Text::kCountry,
               .items_max = 100,
               .default_text = "its parent's, else its home"});
  visit.field("count", tenant.count, {.help = "How many such tenants.", .min = 1, .max = 1e6});
  visit.field("weight", tenant.weight,
              {.help = "Fair share relative to its siblings, of each one.", .min = 1, .max = 1e6});
  visit.field(
      "load", tenant.load,
      {.help =
           "Share of the fleet's GPUs that it keeps busy on average, all `count` and all projects together.",
       .min = 0,
       .max = 100,
       .default_text = "its part of its parent's, by weight"});
  visit.field(
      "classes", tenant.classes,
      {.help = "Shares of its GPU time by job class.", .items_min = 1, .default_text = "its parent's"});
  visit.field(
      "quota", tenant.quota,
      {.help = "What is guaranteed to each such tenant, what it may borrow and lend, and where it ends; "
               "one entry for each GPU type, or for all.",
       .items_min = 1});
  visit.field("budget", tenant.budget, {.help = "What each such tenant may use in a month."});
  visit.field("projects", tenant.projects, {.help = "Its parts, each a tenant.", .items_min = 1});
}

template <class Visitor>
void describe(Visitor& visit, StartSpec& start) {
  visit.field("weekday", start.weekday, {.help = "Weekday at the run's zero.", .choices = kWeekdays});
  visit.field("hour", start.hour, {.help = "Hour of day at the run's zero.", .min = 0, .max = 23.999});
  visit.field("date", start.date,
              {.help = "Day of the run's zero, for rules that have dates. Without it all rules are in force.",
               .default_text = "none",
               .pattern = kDatePattern,
               .example = "2027-01-04"});
}

template <class Visitor>
void describe(Visitor& visit, WorkloadSpec& workload) {
  visit.field("duration", workload.duration,
              {.help = "Jobs arrive for so long.", .min = 1e9, .max = kLongestTimeNs});
  visit.field("start", workload.start, {.help = "Local time at the run's zero."});
  visit.field("load", workload.load,
              {.help = "Total load as a share of the fleet's GPUs; the tenants' loads are scaled to it.",
               .min = 0,
               .max = 100,
               .above_min = true,
               .default_text = "the sum of the tenants'"});
}

template <class Visitor>
void describe(Visitor& visit, PolicySpec& policy) {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const PolicyName& entry : policy_names()) all.push_back(entry.name);
    return all;
  }();
  visit.shorthand("name");
  visit.field("name", policy.name, {.help = "Named policy to begin with.", .choices = names});
  visit.field("order", policy.order,
              {.help = "Who comes first.", .choices = kOrders, .default_text = "the named policy's"});
  visit.field("backfill", policy.backfill,
              {.help = "Who may overtake.", .choices = kBackfills, .default_text = "the named policy's"});
  visit.field("placement", policy.placement,
              {.help = "Which nodes.", .choices = kPlacements, .default_text = "the named policy's"});
  visit.field("half_life", policy.half_life,
              {.help = "Fair share: usage older than this counts half.",
               .min = 1e9,
               .max = kLongestTimeNs,
               .default_text = "the named policy's (7d)"});
  visit.field("commitment", policy.commitment,
              {.help = "Fair share: a running GPU counts as if it had already run so long.",
               .min = 0,
               .max = kLongestTimeNs,
               .default_text = "the named policy's (1h)"});
  visit.field("charge_interval", policy.charge_interval,
              {.help = "Fair share: how often running usage is charged.",
               .min = 1e9,
               .max = kLongestTimeNs,
               .default_text = "the named policy's (5min)"});
  visit.field("age_per_priority", policy.age_per_priority,
              {.help = "Priority and age: waiting so long is worth one step of priority.",
               .min = 1e9,
               .max = kLongestTimeNs,
               .default_text = "the named policy's (1h)"});
  visit.field(
      "patience", policy.patience,
      {.help =
           "Fair share: the longest-waiting gang gets the next reservation, whatever its tenant has used, "
           "once it has waited longer than this and longer than any smaller job of no lower priority that "
           "could start on the same nodes.",
       .min = 1e9,
       .max = kLongestTimeNs,
       .default_text = "the named policy's (12h)"});
  visit.field(
      "preemption", policy.preemption,
      {.help = "For whom running jobs that can be preempted must leave: for tenants that have less than "
               "is guaranteed to them (reclaim), for jobs of higher priority, or for both.",
       .choices = kPreemptions,
       .default_text = "the named policy's"});
  visit.field(
      "reclaim_to", policy.reclaim_to,
      {.help = "To what tenants reclaim: to what is guaranteed to them, or also to their fair share of the "
               "fleet among those who ask for it now.",
       .choices = kReclaimTargets,
       .default_text = "the named policy's (guarantee)"});
  visit.field("protected_run_time", policy.protected_run_time,
              {.help = "A job that has run for less than this is not preempted.",
               .min = 0,
               .max = kLongestProtectionNs,
               .default_text = "the named policy's (10min)"});
  visit.field("grace", policy.grace,
              {.help = "From the signal to save its work to the end of a preempted job.",
               .min = 0,
               .max = kLongestProtectionNs,
               .default_text = "the named policy's (2min)"});
  visit.field(
      "restart_estimate", policy.restart_estimate,
      {.help = "What a restart costs a job beyond the work since its last checkpoint: for the choice of "
               "who is preempted.",
       .min = 0,
       .max = kLongestProtectionNs,
       .default_text = "the named policy's (5min)"});
  visit.field("shrink_for_waiting", policy.shrink_for_waiting,
              {.help = "Running elastic jobs give up nodes beyond their least for the first waiting job.",
               .default_text = "the named policy's (true)"});
  visit.field(
      "resize_interval", policy.resize_interval,
      {.help = "An elastic job runs for at least so long before it grows, or shrinks for a waiting job.",
       .min = 0,
       .max = kLongestProtectionNs,
       .default_text = "the named policy's (30min)"});
}

template <class Visitor>
void describe(Visitor& visit, RepairSpec& repair) {
  visit.field("median", repair.median_s,
              {.help = "Half of all repairs are shorter.",
               .unit = Unit::kSeconds,
               .min = 0,
               .max = 1e9,
               .above_min = true});
  visit.field("sigma", repair.sigma, {.help = "Standard deviation of ln(repair time).", .min = 0, .max = 5});
}

inline constexpr std::string_view kFaultRates[] = {"uniform", "by-component"};

template <class Visitor>
void describe(Visitor& visit, FaultsSpec& faults) {
  visit.field(
      "rates", faults.rates,
      {.help = "`uniform`: all nodes fail equally often and each for itself, as the two fields below say. "
               "`by-component`: as often as their GPU type's components do in published runs, with repairs "
               "by cause, and racks, leaves and rows that fail as one (`gw physics failures`); the two "
               "fields below are not used then.",
       .choices = kFaultRates});
  visit.field("node_failures_per_1000_node_days", faults.node_failures_per_1000_node_days,
              {.help = "Failures that take a node out of service; 3.79 in the Llama 3 405B run "
                       "(arXiv:2407.21783), 6.5 and "
                       "2.34 in Meta's research clusters (arXiv:2410.21680).",
               .min = 0,
               .max = 1e6});
  visit.field("repair", faults.repair, {.help = "Time until a failed node is back."});
  visit.field("restart", faults.restart,
              {.help = "From a job's replacement until it works again.", .min = 0, .max = kLongestTimeNs});
}

template <class Visitor>
void describe(Visitor& visit, CapEventSpec& event) {
  visit.field(
      "at", event.start,
      {.help = "When it begins, from the run's zero.", .required = true, .min = 0, .max = kLongestTimeNs});
  visit.field("feed", event.feed,
              {.help = "Path of a site, hall, row or rack, or its end where only one has it: `lab/hall-1`.",
               .required = true});
  visit.field("cap", event.cap,
              {.help = "What the feed carries meanwhile: of a site facility power, as `grid`, else IT power.",
               .required = true,
               .min = 1,
               .max = kMaxPowerMw});
  visit.field("for", event.duration,
              {.help = "How long.", .min = 1, .max = kLongestTimeNs, .default_text = "to the end"});
  visit.field("reason", event.reason, {.help = "grid, cooling, ...; for reports."});
}

template <class Visitor>
void describe(Visitor& visit, EnergyStepSpec& step) {
  visit.field("at", step.start,
              {.help = "From the run's zero.", .required = true, .min = 0, .max = kLongestTimeNs});
  visit.field(
      "value", step.value,
      {.help = "EUR/MWh, which may be below 0, or g CO2/kWh.", .required = true, .min = -1e6, .max = 1e6});
}

template <class Visitor>
void describe(Visitor& visit, EnergyCurveSpec& curve) {
  visit.field("site", curve.site, {.help = "Its name.", .default_text = "the only site"});
  visit.field("daily", curve.daily,
              {.help = "The same each day: equal parts of it from midnight on, 24 for hours; EUR/MWh, or g "
                       "CO2/kWh. A run begins at midnight.",
               .min = -1e6,
               .max = 1e6,
               .items_max = 1440,
               .default_text = "by `steps`"});
  visit.field("steps", curve.steps,
              {.help = "In place of `daily`, in order of time; the last one holds to the end.",
               .items_max = 100'000,
               .default_text = "by `daily`"});
}

template <class Visitor>
void describe(Visitor& visit, PowerSpec& power) {
  visit.field("predict", power.predict,
              {.help = "By which of a class's figures its jobs are planned: `power_peak` or `power_typical`.",
               .choices = kPredicts});
  visit.field("events", power.events, {.help = "Times at which feeds carry less."});
  visit.field(
      "reaction", power.reaction,
      {.help = "A feed may be above its cap for so long after a drop; the report says if it was longer.",
       .min = 0,
       .max = kLongestTimeNs});
  visit.field("delay", power.delay,
              {.help = "From a decision until clocks and stopped jobs show in the draw.",
               .min = 0,
               .max = kLongestTimeNs});
  visit.field("price", power.price, {.help = "What facility energy costs at sites, EUR/MWh."});
  visit.field("carbon", power.carbon, {.help = "What it emits, g CO2/kWh."});
  visit.field("carbon_price", power.carbon_price,
              {.help = "What a tonne of CO2 counts for beside the price, EUR, when starts are shifted.",
               .min = 0,
               .max = 1e6,
               .default_text = "0; without `price` carbon alone counts"});
  visit.field("shift", power.shift,
              {.help = "Flexible jobs wait for a cheaper hour, as far as their deadlines allow."});
}

/// What a file with a fleet alone may hold.
template <class Visitor>
void describe_heading(Visitor& visit, ScenarioFile& file) {
  visit.field("gigawerk", file.gigawerk,
              {.help = "Version of this format: 1.", .required = true, .min = 1, .max = 1});
  visit.field(
      "name", file.name,
      {.help = "Short name, for files and reports.", .text = Text::kName, .default_text = "the file's"});
  visit.field("title", file.title, {.help = "One line for people.", .default_text = "the name"});
  visit.field("fleet", file.fleet, {.help = "The machines.", .required = true});
  visit.field("rules", file.rules,
              {.help = "Who may run where: rules of the catalog by name, perhaps changed, and new ones. Even "
                       "an empty list divides the fleet by the law of its sites, so that jobs' own wishes "
                       "(`residency`, ...) hold for each.",
               .default_text = "none; a job with such wishes needs a fleet that meets them as a whole"});
  visit.field("country_groups", file.country_groups, {.help = "Groups of countries that the catalog lacks."});
  visit.field(
      "data_classes", file.data_classes,
      {.help = "Classes of data that jobs may name though no rule does. Any other that no rule names is "
               "refused: misspelt, it would take the rules on data off a job.",
       .text = Text::kName,
       .items_max = 1000,
       .default_text = "none; any may be named where no rule looks at data"});
  visit.field(
      "tenant_kinds", file.tenant_kinds,
      {.help = "Kinds that tenants may be of though no rule names them. Any other that no rule names is "
               "refused.",
       .text = Text::kName,
       .items_max = 1000,
       .default_text = "none; any may be given where no rule looks at kinds"});
}

template <class Visitor>
void describe(Visitor& visit, ReservationSpec& reservation) {
  visit.field("name", reservation.name, {.help = "Unique.", .required = true, .text = Text::kName});
  visit.field("tenant", reservation.tenant,
              {.help = "Path of its owner (`organisation/project`): it and all below it may use the nodes.",
               .default_text = "nobody; only with `maintenance`"});
  visit.field("maintenance", reservation.maintenance, {.help = "It is nobody's: the nodes stand empty."});
  visit.field(
      "nodes", reservation.nodes,
      {.help = "How many whole nodes, all of one type.", .min = 1, .max = 1e7, .default_text = "by `gpus`"});
  visit.field("gpus", reservation.gpus,
              {.help = "In place of `nodes`: as many as hold so many GPUs.",
               .min = 1,
               .max = 1e9,
               .default_text = "by `nodes`"});
  visit.field("type", reservation.type, {.help = "Their GPU type.", .default_text = "any"});
  visit.field("level", reservation.level,
              {.help = "All of them inside one part of this fabric level.", .default_text = "any"});
  visit.field(
      "from", reservation.from,
      {.help = "When it begins, from the run's zero.", .required = true, .min = 0, .max = kLongestTimeNs});
  visit.field("for", reservation.length,
              {.help = "How long it lasts.", .required = true, .min = 1e9, .max = kLongestTimeNs});
  visit.field(
      "every", reservation.every,
      {.help = "From one beginning to the next.", .min = 1e9, .max = kLongestTimeNs, .default_text = "once"});
  visit.field("until", reservation.until,
              {.help = "It does not begin any more at or after this.",
               .min = 1e9,
               .max = kLongestTimeNs,
               .default_text = "as long as jobs arrive"});
  visit.field("made", reservation.made,
              {.help = "When it is asked for: jobs that run then may be in its way.",
               .min = 0,
               .max = kLongestTimeNs,
               .default_text = "at the run's zero"});
  visit.field("preempt", reservation.preempt,
              {.help = "Jobs in the way that can be preempted are told to go a grace before."});
}

template <class Visitor>
void describe(Visitor& visit, ScenarioFile& file) {
  describe_heading(visit, file);
  visit.field("seed", file.seed, {.help = "Of all chance; equal seeds give equal runs."});
  visit.field("tenants", file.tenants, {.help = "Who shares them, and what they submit.", .items_min = 1});
  visit.field("workload", file.workload, {.help = "How long and how much."});
  visit.field("rhythms", file.rhythms, {.help = "Rhythms that the catalog lacks, or changes to one it has."});
  visit.field("classes", file.classes,
              {.help = "Job classes that the catalog lacks, or changes to one it has."});
  visit.field("policy", file.policy, {.help = "How the scheduler decides."});
  visit.field("faults", file.faults, {.help = "Failures of nodes.", .default_text = "none"});
  visit.field("reservations", file.reservations, {.help = "Nodes reserved for a time.", .items_min = 1});
  visit.field("power", file.power, {.help = "Caps that change with time."});
  visit.field(
      "physics", file.physics,
      {.help = "Jobs of classes with `work` run as fast as physics says for the place they got; false: as "
               "long as was drawn."});
}

}  // namespace gw::spec
