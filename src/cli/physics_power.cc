// `gw physics power`: watts of a training step from the GPU to the facility, under caps, and its energy and
// carbon.
#include "cli/physics_power.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "cli/app.h"
#include "cli/physics_basis.h"
#include "cli/physics_step.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/cooling.h"
#include "report/text.h"

namespace gw {

double node_size(const physics::Accelerator& gpu, double gpus) {
  return std::min(gpus, gpu.scaleup_domain > 8 && gpu.generation != physics::Generation::kOther ? 4.0 : 8.0);
}

std::string power_text(physics::Watts power) {
  const double watts = power.value();
  if (watts >= 1e6) return fmt::format("{:.3f} MW", watts / 1e6);
  if (watts >= 1e3) return fmt::format("{:.2f} kW", watts / 1e3);
  return fmt::format("{:.0f} W", watts);
}

physics::Cooling usual_cooling(const physics::Accelerator& gpu) {
  return gpu.liquid_cooled ? physics::Cooling::kDirectLiquid : physics::Cooling::kAir;
}

std::string cooling_text(physics::Cooling cooling) {
  switch (cooling) {
    case physics::Cooling::kAir:
      return "air";
    case physics::Cooling::kRearDoor:
      return "air and water in the rear door";
    case physics::Cooling::kDirectLiquid:
      return "liquid";
    case physics::Cooling::kImmersion:
      return "immersion";
  }
  return "air";
}

namespace {

using Json = nlohmann::ordered_json;

struct Options : StepOptions {
  std::optional<double> cap_w;
  double clock_share = 1;
  std::string cooling;  ///< Empty: what is usual for the GPU type.
  std::string rejection = "dry";
  double outside_c = 15;
  double humidity = 0.6;
  std::optional<double> supply_c;
  double carbon = 0;
  std::uint32_t nodes_per_rack = 0;
  double checkpoint_s = 0;
  double checkpoint_every_s = 0;
  double storage_s = 0;
  bool json = false;
};

/// All that is answered.
struct Answer {
  Basis basis;
  physics::Cooling cooling = physics::Cooling::kAir;
  physics::Celsius supply;  ///< Of water or air to the nodes.
  StepSubject subject;
  TimedStep step;
  physics::LimitedPower limited;
  double paused = 0;  ///< Share of time in checkpoints: all below but the steps' own phases is with them.
  physics::NodePower node;
  double node_gpus = 8;
  double nodes_per_rack = 4;
  physics::RackPower rack;
  physics::FacilityPower facility;
  physics::FeedSwing swing;
  physics::RunEnergy each_step;
  physics::RunEnergy day;
};

Result<Answer> answer_of(const Options& options) {
  const Result<StepSubject> subject = subject_of(options);
  if (!subject) return std::unexpected(subject.error());
  Answer answer;
  answer.subject = *subject;
  const physics::Accelerator& gpu = answer.subject.gpu;
  if (gpu.power_max_w <= 0) return fail(fmt::format("the catalog does not know the power of {}", gpu.name));
  const Result<TimedStep> step = timed_step(options, *subject, options.gpus);
  if (!step) return std::unexpected(step.error());
  answer.step = *step;
  physics::Plant plant;
  const Result<physics::Cooling> cooling =
      options.cooling.empty() ? usual_cooling(gpu) : physics::find_cooling(options.cooling);
  if (!cooling) return std::unexpected(cooling.error());
  const Result<physics::Rejection> rejection = physics::find_rejection(options.rejection);
  if (!rejection) return std::unexpected(rejection.error());
  answer.basis = training_basis(gpu, options.gpus);
  answer.basis += power_basis(gpu);
  answer.cooling = *cooling;
  plant.cooling = *cooling;
  plant.rejection = *rejection;
  if (options.supply_c) plant.supply = physics::Celsius{*options.supply_c};
  answer.supply = plant.supply.value_or(physics::usual_supply(*cooling));
  if ((options.checkpoint_s > 0) != (options.checkpoint_every_s > 0))
    return fail("--checkpoint-s and --checkpoint-every-s belong together");

  const physics::PowerConstants& constants = physics::published_power();
  const physics::TrainingPower free =
      physics::training_power(constants, gpu, answer.subject.precision, answer.step.time);
  answer.limited = physics::limited_power(constants, gpu, free,
                                          {options.clock_share, physics::Watts{options.cap_w.value_or(0)}});
  const physics::TrainingPower& power = answer.limited.power;
  answer.node_gpus = node_size(gpu, options.gpus);
  const physics::Seconds checkpoint{options.checkpoint_s};
  const physics::Seconds every{options.checkpoint_every_s};
  answer.paused = physics::paused_share(checkpoint, every);
  answer.node = physics::node_power(constants, gpu, answer.node_gpus,
                                    physics::mean_with_pauses(power, answer.paused), *cooling);
  const double trays = gpu.scaleup_domain > 8 ? gpu.scaleup_domain / answer.node_gpus : 4;
  answer.nodes_per_rack = options.nodes_per_rack > 0 ? options.nodes_per_rack : trays;
  answer.rack = physics::rack_power(answer.node, answer.nodes_per_rack, answer.node_gpus, gpu);
  const double nodes = options.gpus / answer.node_gpus;
  const physics::RackPower all = physics::rack_power(answer.node, nodes, answer.node_gpus, gpu);
  answer.facility =
      physics::facility_power(plant, all.total(), {physics::Celsius{options.outside_c}, options.humidity});
  physics::SwingInput swing;
  swing.gpus = options.gpus;
  swing.supply_factor = answer.node.total / answer.node.inside();
  // What is not GPUs, and the network, whose share of the feed does not pass the nodes' supplies.
  swing.fixed_per_gpu = (answer.node.host + answer.node.fans) / answer.node_gpus +
                        all.network / (options.gpus * swing.supply_factor);
  swing.checkpoint = checkpoint;
  swing.every = every;
  swing.storage = physics::Seconds{options.storage_s};
  answer.swing = physics::feed_swing(power, swing);
  const physics::CarbonIntensity intensity{options.carbon};
  answer.each_step = physics::run_energy(answer.facility, power.step / (1 - answer.paused), intensity);
  constexpr double kDay = 86400;
  answer.day = physics::run_energy(answer.facility, physics::Seconds{kDay}, intensity);
  return answer;
}

/// With pauses for checkpoints.
double tokens_per_second(const Options& options, const Answer& answer) {
  return answer.step.time.tokens_s_gpu * options.gpus * answer.limited.speed * (1 - answer.paused);
}

Json json_of(const physics::RunEnergy& energy) {
  return {{"it_kwh", energy.it.value() / 1000},
          {"facility_kwh", energy.facility.value() / 1000},
          {"carbon_kg", energy.carbon.value() / 1000}};
}

void print_json(const Options& options, const Answer& answer) {
  const physics::FacilityPower& facility = answer.facility;
  const physics::TrainingPower& power = answer.limited.power;
  Json json = {{"model", answer.subject.model.name},
               {"gpu", answer.subject.gpu.name},
               {"gpus", options.gpus},
               {"step_s", power.step.value()},
               {"speed", answer.limited.speed},
               {"clock", answer.limited.clock},
               {"cap_met", answer.limited.met},
               {"paused_share", answer.paused},
               {"tokens_s", tokens_per_second(options, answer)}};
  json["memory_fits"] = answer.step.memory.fits();
  json["cooling"] = {{"of", physics::cooling_name(answer.cooling)}, {"given", !options.cooling.empty()}};
  json["basis"] = json_of(answer.basis);
  json["gpu_power"] = {{"mean_w", power.mean.value()},
                       {"peak_w", power.peak.value()},
                       {"least_w", power.least.value()},
                       {"memory_use", power.mean_use.memory},
                       {"arithmetic_use", power.mean_use.arithmetic}};
  for (std::size_t i = 0; i < physics::kPhases; ++i)
    json["phases"][std::string(physics::phase_name(static_cast<physics::Phase>(i)))] = {
        {"s", power.phases[i].time.value()}, {"gpu_w", power.phases[i].gpu.value()}};
  json["node"] = {{"gpus", answer.node_gpus},
                  {"gpus_w", answer.node.gpus.value()},
                  {"host_w", answer.node.host.value()},
                  {"fans_w", answer.node.fans.value()},
                  {"supplies_w", answer.node.supplies.value()},
                  {"total_w", answer.node.total.value()}};
  json["rack"] = {{"nodes", answer.nodes_per_rack}, {"total_w", answer.rack.total().value()}};
  json["facility"] = {{"it_w", facility.it.value()},
                      {"distribution_w", facility.distribution.value()},
                      {"air_w", facility.air.value()},
                      {"pumps_w", facility.pumps.value()},
                      {"outdoor_w", facility.outdoor.value()},
                      {"compressors_w", facility.compressors.value()},
                      {"other_w", facility.other.value()},
                      {"total_w", facility.total.value()},
                      {"rejected_w", facility.rejected.value()},
                      {"chilled_share", facility.chilled},
                      {"pue", facility.pue()}};
  json["feed"] = {{"mean_w", answer.swing.mean.value()},
                  {"peak_w", answer.swing.peak.value()},
                  {"least_w", answer.swing.least.value()},
                  {"peak_to_mean", answer.swing.peak_to_mean()},
                  {"period_s", answer.swing.period.value()}};
  json["step_energy"] = json_of(answer.each_step);
  json["day_energy"] = json_of(answer.day);
  fmt::print("{}\n", json_out(json));
}

/// What a cap or a held clock does to the work; where it does nothing, what is the lower limit.
void print_limit(const Options& options, const Answer& answer) {
  constexpr double kUnchanged = 1 - 1e-9;
  const double clock = 100 * answer.limited.clock;
  if (answer.limited.speed < kUnchanged || !answer.limited.met) {
    fmt::print("under the limit: {:.1f} % of the speed, clock down to {:.0f} %{}\n",
               100 * answer.limited.speed, clock,
               answer.limited.met ? "" : "; the lowest clock draws more than the cap");
    return;
  }
  const physics::Watts most{answer.subject.gpu.power_max_w};
  const std::string what = options.cap_w
                               ? fmt::format("a cap of {}", power_text(physics::Watts{*options.cap_w}))
                               : fmt::format("a clock of {:.0f} %", 100 * options.clock_share);
  fmt::print("{} changes nothing: {}", what,
             options.cap_w.value_or(0) >= most.value() ? "it is not below what the GPU allows itself"
                                                       : "the work asks for no more");
  fmt::print("; the TDP of the {} is {}{}\n", answer.subject.gpu.name, power_text(most),
             clock < 99.5 ? fmt::format(", which holds the clock at {:.0f} % at times", clock) : "");
}

void print_text(const Options& options, const Answer& answer) {
  const physics::TrainingPower& power = answer.limited.power;
  fmt::print("{} on {} x {}: step {}, {:.0f} tokens/s\n", answer.subject.model.name, options.gpus,
             answer.subject.gpu.name, report::format_duration(power.step.value()),
             tokens_per_second(options, answer));
  if (answer.paused > 0)
    fmt::print(
        "paused for checkpoints {:.1f} % of the time: tokens/s, node, rack, facility, energy and carbon are "
        "means with these pauses\n",
        100 * answer.paused);
  if (!answer.step.memory.fits())
    fmt::print("{}: what it would draw if it did\n", shortage_text(answer.step.memory));
  if (options.cap_w || options.clock_share < 1) print_limit(options, answer);
  TextTable phases("lrrr");
  phases.add({"", "TIME", "SHARE", "PER GPU"});
  for (std::size_t i = 0; i < physics::kPhases; ++i) {
    const physics::PhasePower& phase = power.phases[i];
    if (phase.time.value() <= 0) continue;
    phases.add({std::string(physics::phase_name(static_cast<physics::Phase>(i))),
                report::format_duration(phase.time.value()),
                fmt::format("{:.1f} %", 100 * (phase.time / power.step)), power_text(phase.gpu)});
  }
  fmt::print("\n{}\n", phases.text());
  TextTable table("lr");
  const physics::FacilityPower& facility = answer.facility;
  table.add({"GPU, mean", power_text(power.mean)});
  table.add({fmt::format("node of {:.0f}, cooled by {}{}", answer.node_gpus, cooling_text(answer.cooling),
                         options.cooling.empty() ? " (usual for the type; --cooling)" : ""),
             power_text(answer.node.total)});
  table.add({"  host", power_text(answer.node.host)});
  table.add({"  fans", power_text(answer.node.fans)});
  table.add({"  power supplies", power_text(answer.node.supplies)});
  table.add({fmt::format("rack of {:.0f} nodes, with its part of the network", answer.nodes_per_rack),
             power_text(answer.rack.total())});
  table.add({"all nodes and network", power_text(facility.it)});
  table.add({"facility", power_text(facility.total)});
  table.add({"PUE", fmt::format("{:.3f}, with {:g} degrees to the nodes (--supply-c)", facility.pue(),
                                answer.supply.value())});
  table.add({"heat through a compressor", fmt::format("{:.0f} %", 100 * facility.chilled)});
  table.add({"IT feed, highest over mean", fmt::format("{:.3f}", answer.swing.peak_to_mean())});
  table.add({"IT feed swings between",
             fmt::format("{} and {}", power_text(answer.swing.least), power_text(answer.swing.peak))});
  table.add({answer.paused > 0 ? "energy of a step with its part of the pauses" : "energy of a step",
             fmt::format("{:.4g} kWh", answer.each_step.facility.value() / 1000)});
  table.add({"energy of a day", fmt::format("{:.4g} MWh", answer.day.facility.value() / 1e6)});
  if (options.carbon > 0) {
    table.add({"carbon of a step", fmt::format("{:.4g} kg", answer.each_step.carbon.value() / 1e3)});
    table.add({"carbon of a day", fmt::format("{:.4g} t", answer.day.carbon.value() / 1e6)});
  }
  fmt::print("{}", table.text());
  print_basis(answer.basis);
}

}  // namespace

void add_physics_power_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      physics.add_subcommand("power", "Watts of a training step, from the GPU to the facility");
  add_step_options(*command, *options);
  const auto real = [&](const char* flags, double& value, const char* help, const char* type, double least,
                        double most) {
    return command->add_option(flags, value, help)
        ->check(number(least, most))
        ->type_name(type)
        ->capture_default_str();
  };
  CLI::Option* cap =
      command->add_option("--cap-w", options->cap_w, "Cap on the power of each GPU; none if not given")
          ->check(number(1, 100'000))
          ->type_name("W");
  real("--clock-share", options->clock_share, "Clock of each GPU over its highest", "SHARE", 0.1, 1)
      ->excludes(cap);
  command
      ->add_option("--cooling", options->cooling,
                   "How heat leaves the nodes; as usual for the GPU type if not given")
      ->check(CLI::IsMember({"air", "rear-door", "direct-liquid", "immersion"}));
  command->add_option("--rejection", options->rejection, "How heat leaves the building")
      ->check(CLI::IsMember({"dry", "evaporative", "chiller"}))
      ->capture_default_str();
  real("--outside-c", options->outside_c, "Temperature outside", "T", -40, 60);
  real("--humidity", options->humidity, "Relative humidity outside", "SHARE", 0.05, 1);
  command->add_option("--supply-c", options->supply_c, "Of water or air to the nodes; usual if not given")
      ->check(number(0, 60))
      ->type_name("T");
  real("--carbon", options->carbon, "Carbon of the electricity", "G_PER_KWH", 0, 2000);
  command->add_option("--nodes-per-rack", options->nodes_per_rack, "Nodes of a rack; usual if not given")
      ->check(whole_number(1, 1000))
      ->type_name("N");
  real("--checkpoint-s", options->checkpoint_s, "Pause in which GPUs wait for a checkpoint", "S", 0, 1e6);
  real("--checkpoint-every-s", options->checkpoint_every_s, "Time between such pauses", "S", 0, 1e8);
  real("--storage-s", options->storage_s, "Time constant of energy storage in power supplies", "S", 0, 1e4);
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options]() -> Result<ExitCode> {
    const Result<Answer> answer = answer_of(*options);
    if (!answer) return std::unexpected(answer.error());
    options->json ? print_json(*options, *answer) : print_text(*options, *answer);
    if (!answer->limited.met && options->cap_w)
      return fail(
          fmt::format("--cap-w {:g}: the lowest clock draws more; give a higher cap", *options->cap_w));
    return fit_or_failed(answer->step.memory);
  });
}

}  // namespace gw
