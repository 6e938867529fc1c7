// `gw physics train`: one training step by cause, or the best parallel layouts for a number of GPUs.
#include <fmt/format.h>

#include <array>
#include <memory>

#include "cli/app.h"
#include "cli/physics_basis.h"
#include "cli/physics_power.h"
#include "cli/physics_step.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/multi_site.h"
#include "physics/search.h"
#include "physics/training_power.h"
#include "report/text.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

struct Options : StepOptions {
  std::uint32_t keep = 10;
  std::uint32_t sites = 1;
  std::uint32_t inner_steps = 500;
  std::uint32_t overlap_steps = 0;
  double link_gbit_s = 400;
  double link_km = 500;
  double exchange_bytes = 4;
  bool search = false;
  bool json = false;
};

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

struct NamedPart {
  const char* key;
  const char* title;
  double physics::StepTime::* seconds;
};
constexpr std::array kParts = {
    NamedPart{"products_s", "matrix products", &physics::StepTime::products},
    NamedPart{"attention_s", "attention", &physics::StepTime::attention},
    NamedPart{"elementwise_s", "element-wise", &physics::StepTime::elementwise},
    NamedPart{"logits_s", "output layer", &physics::StepTime::logits},
    NamedPart{"recompute_s", "recomputation", &physics::StepTime::recompute},
    NamedPart{"host_s", "host", &physics::StepTime::host},
    NamedPart{"tensor_s", "tensor-parallel communication", &physics::StepTime::tensor},
    NamedPart{"context_s", "context-parallel communication", &physics::StepTime::context},
    NamedPart{"expert_s", "expert-parallel communication", &physics::StepTime::expert},
    NamedPart{"pipeline_s", "pipeline communication", &physics::StepTime::pipeline},
    NamedPart{"data_s", "gradients and weights", &physics::StepTime::data},
    NamedPart{"imbalance_s", "fullest stage", &physics::StepTime::imbalance},
    NamedPart{"bubble_s", "pipeline bubble", &physics::StepTime::bubble},
    NamedPart{"optimizer_s", "optimizer", &physics::StepTime::optimizer},
    NamedPart{"stragglers_s", "stragglers", &physics::StepTime::stragglers},
};

struct NamedBytes {
  const char* key;
  const char* title;
  double physics::TrainingMemory::* bytes;
};
constexpr std::array kMemory = {
    NamedBytes{"weights_bytes", "weights", &physics::TrainingMemory::weights},
    NamedBytes{"gradients_bytes", "gradients", &physics::TrainingMemory::gradients},
    NamedBytes{"optimizer_bytes", "optimizer", &physics::TrainingMemory::optimizer},
    NamedBytes{"activations_bytes", "activations", &physics::TrainingMemory::activations},
    NamedBytes{"logits_bytes", "logits", &physics::TrainingMemory::logits},
    NamedBytes{"buffers_bytes", "buffers", &physics::TrainingMemory::buffers},
};

Json json_of(const physics::Layout& layout) {
  return {{"tensor", layout.tensor},
          {"pipeline", layout.pipeline},
          {"chunks", layout.chunks},
          {"data", layout.data},
          {"context", layout.context},
          {"expert", layout.expert},
          {"micro_batch", layout.micro_batch},
          {"recompute", physics::recompute_name(layout.recompute)},
          {"sharding", physics::sharding_name(layout.sharding)}};
}

Json json_of(const physics::StepTime& time) {
  Json json = {{"step_s", time.total},
               {"tokens_s_gpu", time.tokens_s_gpu},
               {"model_tflops_gpu", time.model_flops_gpu * 1e-12},
               {"mfu", time.utilisation}};
  for (const NamedPart& part : kParts) json["parts"][part.key] = time.*part.seconds;
  return json;
}

Json json_of(const physics::TrainingMemory& memory) {
  Json json;
  for (const NamedBytes& part : kMemory) json[part.key] = memory.*part.bytes;
  json["total_bytes"] = memory.total;
  json["available_bytes"] = memory.available;
  json["fits"] = memory.fits();
  return json;
}

Json head_of(const Options& options, const StepSubject& subject) {
  return {{"model", subject.model.name},
          {"gpu", subject.gpu.name},
          {"gpus", options.gpus},
          {"precision", physics::precision_name(subject.precision)},
          {"stack", physics::stacks()[static_cast<std::size_t>(subject.stack)].name},
          {"sequence", options.sequence},
          {"global_batch", subject.batch}};
}

void print_head(const Options& options, const StepSubject& subject) {
  fmt::print("{} on {} x {}, {}, {}, sequences of {}, batch {}\n", subject.model.name, options.gpus,
             subject.gpu.name, physics::precision_name(subject.precision),
             physics::stacks()[static_cast<std::size_t>(subject.stack)].name, options.sequence,
             subject.batch);
}

/// Sites that each train by themselves between exchanges: the numbers of one round.
Json json_of(const physics::MultiSite& run, const physics::MultiSiteTime& round, const Options& options,
             const StepSubject& subject, physics::BytesPerSecond least) {
  const double tokens = double{1} * subject.batch * options.sequence * run.inner_steps;
  return {{"sites", options.sites},
          {"inner_steps", options.inner_steps},
          {"payload_bytes", round.payload.value()},
          {"exchange_s", round.exchange.value()},
          {"exposed_s", round.exposed.value()},
          {"round_s", round.round.value()},
          {"lost_share", round.lost},
          {"mean_gbit_s", physics::in_gigabits_per_second(round.mean_rate)},
          {"least_gbit_s_for_1_percent", physics::in_gigabits_per_second(least)},
          {"tokens_s", tokens / round.round.value()}};
}

void print_round(const physics::MultiSiteTime& round, const Options& options, const StepSubject& subject,
                 physics::BytesPerSecond least) {
  const double tokens = double{1} * subject.batch * options.sequence * options.inner_steps;
  fmt::print(
      "\n{} sites of {} GPUs and batch {}, which exchange after {} steps over {:.4g} Gbit/s and {:.4g} km\n",
      options.sites, options.gpus / options.sites, subject.batch / options.sites, options.inner_steps,
      options.link_gbit_s, options.link_km);
  TextTable table("lr");
  table.add({"exchange", report::format_duration(round.exchange.value())});
  table.add({"of it exposed", report::format_duration(round.exposed.value())});
  table.add({"round", report::format_duration(round.round.value())});
  table.add({"lost", fmt::format("{:.2f} %", 100 * round.lost)});
  table.add({"sent by a site, mean", fmt::format("{:.4g} Gbit/s", in_gigabits_per_second(round.mean_rate))});
  table.add({"least link for 1 % lost", fmt::format("{:.4g} Gbit/s", in_gigabits_per_second(least))});
  table.add({"all sites", fmt::format("{:.4g} tokens/s", tokens / round.round.value())});
  fmt::print("{}", table.text());
}

Result<ExitCode> one_step(const Options& options, const StepSubject& all_sites) {
  if (options.gpus % options.sites != 0 || all_sites.batch % options.sites != 0)
    return fail(fmt::format(
        "{} GPUs and a batch of {} do not divide over {} sites; --gpus and --batch count all of them",
        options.gpus, all_sites.batch, options.sites));
  const std::uint32_t gpus = options.gpus / options.sites;
  StepSubject subject = all_sites;  // One site's.
  subject.batch /= options.sites;
  const Result<TimedStep> timed = timed_step(options, subject, gpus, options.sites > 1 ? " of a site" : "");
  if (!timed) return std::unexpected(timed.error());
  const physics::StepTime& time = timed->time;
  const physics::TrainingMemory& memory = timed->memory;
  const physics::TrainingPower power =
      physics::training_power(physics::published_power(), subject.gpu, subject.precision, time);
  const double node_gpus = node_size(subject.gpu, gpus);
  const physics::Cooling cooling = usual_cooling(subject.gpu);
  const physics::NodePower node =
      physics::node_power(physics::published_power(), subject.gpu, node_gpus, power.mean, cooling);
  const bool power_known = subject.gpu.power_max_w > 0;
  Basis basis = training_basis(subject.gpu, options.gpus);
  if (power_known) basis += power_basis(subject.gpu);
  physics::MultiSite sites;
  sites.sites = options.sites;
  sites.inner_steps = options.inner_steps;
  sites.overlap_steps = options.overlap_steps;
  sites.parameters = subject.model.parameters();
  sites.bytes_per_parameter = options.exchange_bytes;
  sites.link.route = physics::route_length(physics::Kilometres{options.link_km});
  sites.link.rate = physics::gigabits_per_second(options.link_gbit_s);
  const physics::Seconds step{time.total};
  const physics::MultiSiteTime round = physics::multi_site_time(sites, step);
  constexpr double kAcceptedLoss = 0.01;
  const physics::BytesPerSecond least = physics::least_rate(sites, step, kAcceptedLoss);
  if (options.json) {
    Json json = head_of(options, all_sites);
    if (options.sites > 1) json["multi_site"] = json_of(sites, round, options, all_sites, least);
    json["layout"] = json_of(timed->layout);
    json["time"] = json_of(time);
    json["memory"] = json_of(memory);
    json["power"] = {{"gpu_w", nullptr}, {"node_w", nullptr}, {"all_nodes_w", nullptr}};
    if (power_known)
      json["power"] = {{"gpu_w", power.mean.value()},
                       {"node_w", node.total.value()},
                       {"all_nodes_w", node.total.value() / node_gpus * options.gpus},
                       {"cooling", physics::cooling_name(cooling)}};
    json["basis"] = json_of(basis);
    fmt::print("{}\n", json_out(json));
    return fit_or_failed(memory);
  }
  print_head(options, all_sites);
  fmt::print("step {}, {:.0f} tokens/s per GPU, {:.0f} TFLOP/s per GPU, MFU {:.1f} %\n\n",
             report::format_duration(time.total), time.tokens_s_gpu, time.model_flops_gpu * 1e-12,
             100 * time.utilisation);
  TextTable table("lrr");
  for (const NamedPart& part : kParts) {
    const double seconds = time.*part.seconds;
    if (seconds > 5e-4 * time.total)
      table.add({part.title, report::format_duration(seconds),
                 fmt::format("{:.1f} %", 100 * seconds / time.total)});
  }
  fmt::print("{}\n", table.text());
  constexpr double kMuchIdle = 0.2;
  if (time.bubble > kMuchIdle * time.total)
    fmt::print(
        "the pipeline is empty for much of the step, with {} micro-batches for {} stages: take a larger "
        "--batch or "
        "--vpp, or let --search find a layout\n\n",
        all_sites.batch / std::max(1U, options.sites) / (timed->layout.data * timed->layout.micro_batch),
        timed->layout.pipeline);
  TextTable bytes("lr");
  for (const NamedBytes& part : kMemory) {
    if (memory.*part.bytes > 0)
      bytes.add({part.title, fmt::format("{:.2f} GiB", memory.*part.bytes / kGibibyte)});
  }
  bytes.add({"in all", fmt::format("{:.2f} GiB", memory.total / kGibibyte)});
  fmt::print("{}{}\n", bytes.text(), memory.fits() ? "fits" : shortage_text(memory));
  if (power_known)
    fmt::print(
        "{:.0f} W per GPU, {} per node of {:.0f} cooled by {}, {} for all nodes; network, cooling and "
        "swings: gw physics power\n",
        power.mean.value(), power_text(node.total), node_gpus, cooling_text(cooling),
        power_text(node.total * (options.gpus / node_gpus)));
  else
    fmt::print("the catalog does not know the power of {}: no watts\n", subject.gpu.name);
  print_basis(basis);
  if (options.sites > 1) print_round(round, options, all_sites, least);
  return fit_or_failed(memory);
}

/// `given`: degrees that the search keeps.
Result<ExitCode> search(const Options& options, const StepSubject& subject,
                        const physics::SearchOptions& given) {
  physics::SearchOptions wanted = given;
  wanted.model = &subject.model;
  wanted.gpu = &subject.gpu;
  wanted.stack = subject.stack;
  wanted.precision = subject.precision;
  wanted.sequence = options.sequence;
  wanted.copies_per_expert = options.plain_all_to_all;
  wanted.overlaps_experts = options.overlap_experts;
  wanted.gpus = options.gpus;
  wanted.global_batch = subject.batch;
  wanted.keep = options.keep;
  const Basis basis = training_basis(subject.gpu, options.gpus);
  const physics::SearchResult found = physics::search_layouts(wanted, physics::published_calibration());
  if (found.best.empty()) {
    if (found.nearest.memory.total == 0)
      return fail(fmt::format(
          "no layout of {} GPUs divides a batch of {} and this model; take another --batch, or leave out "
          "some of the degrees that are given",
          options.gpus, subject.batch));
    return fail(fmt::format("no layout of {} GPUs fits; the nearest {}", options.gpus,
                            shortage_text(found.nearest.memory)));
  }
  if (options.json) {
    Json json = head_of(options, subject);
    json["basis"] = json_of(basis);
    json["timed"] = found.timed;
    json["too_large"] = found.too_large;
    json["best"] = Json::array();
    for (const physics::Candidate& each : found.best)
      json["best"].push_back(
          {{"layout", json_of(each.layout)}, {"time", json_of(each.time)}, {"memory", json_of(each.memory)}});
    fmt::print("{}\n", json_out(json));
    return ExitCode::ok;
  }
  print_head(options, subject);
  fmt::print("{} layouts fit, {} do not\n\n", found.timed, found.too_large);
  TextTable table("rrrrrrrrllrrr");
  table.add({"#", "TENSOR", "PIPELINE", "CHUNKS", "CONTEXT", "DATA", "EXPERT", "MICRO", "RECOMPUTE",
             "SHARDED", "STEP", "MFU", "GIB"});
  std::size_t rank = 0;
  for (const physics::Candidate& each : found.best) {
    const physics::Layout& layout = each.layout;
    table.add({fmt::format("{}", ++rank), fmt::format("{}", layout.tensor),
               fmt::format("{}", layout.pipeline), fmt::format("{}", layout.chunks),
               fmt::format("{}", layout.context), fmt::format("{}", layout.data),
               fmt::format("{}", layout.expert), fmt::format("{}", layout.micro_batch),
               std::string(physics::recompute_name(layout.recompute)),
               std::string(physics::sharding_name(layout.sharding)), report::format_duration(each.time.total),
               fmt::format("{:.1f} %", 100 * each.time.utilisation),
               fmt::format("{:.0f}", each.memory.total / kGibibyte)});
  }
  fmt::print("{}", table.text());
  print_basis(basis);
  return ExitCode::ok;
}

}  // namespace

void add_physics_train_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = physics.add_subcommand("train", "Time and memory of a training step, by cause");
  add_step_options(*command, *options);
  const auto count = [&](const char* flags, std::uint32_t& value, const char* help,
                         std::uint64_t most = 1'000'000) {
    command->add_option(flags, value, help)
        ->check(whole_number(1, most))
        ->type_name("N")
        ->capture_default_str();
  };
  count("--sites", options->sites, "Sites that train by themselves and exchange now and then", 1000);
  count("--inner-steps", options->inner_steps, "With --sites: steps between two exchanges");
  command->add_option("--overlap-steps", options->overlap_steps, "With --sites: steps that go on meanwhile")
      ->check(whole_number(0, 1'000'000))
      ->type_name("N");
  command->add_option("--exchange-bytes", options->exchange_bytes, "With --sites: bytes of a parameter")
      ->check(number(0.01, 16))
      ->type_name("BYTES")
      ->capture_default_str();
  command
      ->add_option("--link-gbit-s", options->link_gbit_s, "With --sites: rate of the link to the next site")
      ->check(number(1e-3, 1e9))
      ->type_name("RATE")
      ->capture_default_str();
  command->add_option("--link-km", options->link_km, "With --sites: to the next site as the crow flies")
      ->check(number(0, 20'040))
      ->type_name("KM")
      ->capture_default_str();
  for (const char* name :
       {"--inner-steps", "--overlap-steps", "--exchange-bytes", "--link-gbit-s", "--link-km"})
    command->get_option(name)->needs(command->get_option("--sites"));
  CLI::Option* searched = command->add_flag(
      "--search", options->search,
      "Find the fastest layouts that fit, instead of timing one; degrees that are given are kept");
  count("--top", options->keep, "With --search: how many to show", 1000);
  command->get_option("--top")->needs(searched);
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options, command]() -> Result<ExitCode> {
    const Result<StepSubject> subject = subject_of(*options);
    if (!subject) return std::unexpected(subject.error());
    for (const char* name :
         {"--inner-steps", "--overlap-steps", "--exchange-bytes", "--link-gbit-s", "--link-km"}) {
      if (options->sites == 1 && command->count(name) > 0)
        return fail(fmt::format("{} needs --sites above 1: one site exchanges nothing", name));
    }
    if (options->search && options->sites > 1)
      return fail("--search looks at one site; leave out --sites, or time one layout");
    if (!options->search) return one_step(*options, *subject);
    physics::SearchOptions given;
    const auto keep = [&](const char* name, std::uint32_t value, std::uint32_t& kept) {
      if (command->count(name) > 0) kept = value;
    };
    keep("--tp", options->tensor, given.tensor);
    keep("--pp", options->pipeline, given.pipeline);
    keep("--vpp", options->chunks, given.chunks);
    keep("--cp", options->context, given.context);
    keep("--ep", options->expert, given.expert);
    keep("--micro-batch", options->micro_batch, given.micro_batch);
    if (command->count("--recompute") > 0) given.recompute = recompute_of(*options);
    if (command->count("--shard") > 0) given.sharding = sharding_of(*options);
    return search(*options, *subject, given);
  });
}

}  // namespace gw
