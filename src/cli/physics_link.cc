// `gw physics link`: what a fibre between two sites carries, and how long things take over it.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "cli/app.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/edge_site.h"
#include "physics/wide_area.h"
#include "report/text.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::optional<double> km;
  std::string from;
  std::string to;
  double route_factor = 0;
  double gbit_s = 100;
  double loss = 0;
  std::uint32_t streams = 16;
  std::string window = "64 MiB";
  std::uint32_t mtu = 9000;
  std::string bytes;
  std::string read;
  std::string write;
  std::string checkpoint;
  std::string interval = "30min";
  std::uint32_t copies = 1;
  std::uint32_t request_bytes = 16'384;
  double serving_ms = 300;
  double edge_gpus = 0;
  double edge_peak = 0;
  bool json = false;
};

Result<physics::Place> place_of(const char* option, const std::string& text) {
  const std::size_t comma = text.find(',');
  if (comma != std::string::npos) {
    const std::optional<double> latitude = spec::parse_number(text.substr(0, comma));
    const std::optional<double> longitude = spec::parse_number(text.substr(comma + 1));
    const double north = latitude.value_or(1e9);
    const double east = longitude.value_or(1e9);
    if (std::abs(north) <= 90 && std::abs(east) <= 180) return physics::Place{north, east};
  }
  return fail(fmt::format("{} {}: write latitude,longitude in degrees, such as 48.14,11.58", option, text));
}

Result<physics::DataBytes> size_of(const char* option, const std::string& text) {
  const std::optional<double> bytes = spec::parse_amount(text, spec::Unit::kMessageBytes);
  if (!bytes || *bytes <= 0)
    return fail(fmt::format("{} {}: write a size, such as {}", option, text,
                            spec::unit_example(spec::Unit::kMessageBytes)));
  return physics::DataBytes{*bytes};
}

Result<physics::BytesPerSecond> rate_of(const char* option, const std::string& text) {
  if (text.empty()) return physics::BytesPerSecond{0};
  const std::optional<double> rate = spec::parse_amount(text, spec::Unit::kGbytePerSecond);
  if (!rate || *rate <= 0) return fail(fmt::format("{} {}: write a rate, such as 20 GB/s", option, text));
  return physics::BytesPerSecond{*rate * 1e9};
}

Result<physics::Kilometres> distance_of(const Options& options) {
  if (options.from.empty() != options.to.empty()) return fail("--from and --to belong together");
  if (options.from.empty()) {
    if (!options.km)
      return fail("how far? Give --km, or --from and --to as latitude,longitude such as 48.14,11.58");
    return physics::Kilometres{*options.km};
  }
  if (options.km) return fail("--km and --from both say how far; give one");
  const Result<physics::Place> from = place_of("--from", options.from);
  if (!from) return std::unexpected(from.error());
  const Result<physics::Place> to = place_of("--to", options.to);
  if (!to) return std::unexpected(to.error());
  return physics::great_circle(*from, *to);
}

/// One line of the answer, for people and for programs.
struct Line {
  std::string title;
  std::string text;
  const char* key;
  double value;
};

/// GPU-hours of a day that the radio lacks.
double add_edge(const Options& options, std::vector<Line>& lines, Json& json) {
  const auto day = physics::edge_day({.gpus = options.edge_gpus, .radio_peak = options.edge_peak});
  Json hours = Json::array();
  double unserved = 0;
  std::string row;
  for (const physics::EdgeHour& each : day) {
    unserved += each.unserved;
    hours.push_back({{"radio", each.radio}, {"left", each.left}, {"unserved", each.unserved}});
    row += fmt::format("{}{:.0f}", row.empty() ? "" : " ", each.left);
  }
  const double left = physics::left_of_day(day);
  lines.push_back({"GPUs left by the radio, by hour", row, nullptr, 0});
  lines.push_back({"GPU-hours left in a day",
                   fmt::format("{:.0f} of {:.0f}", left, options.edge_gpus * physics::kHoursOfDay),
                   "edge_gpu_hours_left", left});
  lines.push_back({"GPU-hours that the radio itself lacks", fmt::format("{:.0f}", unserved),
                   "edge_gpu_hours_unserved", unserved});
  json["edge_hours"] = std::move(hours);
  return unserved;
}

Result<ExitCode> link_times(const Options& options) {
  const Result<physics::Kilometres> straight = distance_of(options);
  if (!straight) return std::unexpected(straight.error());
  physics::FibreLink link;
  link.route = options.route_factor > 0 ? *straight * options.route_factor : physics::route_length(*straight);
  link.rate = physics::gigabits_per_second(options.gbit_s);
  link.loss = options.loss;
  constexpr double kHeaders = 52;  // IPv4 and TCP with timestamps.
  link.packet_payload = options.mtu - kHeaders;
  const Result<physics::DataBytes> window = size_of("--window", options.window);
  if (!window) return std::unexpected(window.error());
  const physics::Streams streams{double{1} * options.streams, *window};

  std::vector<Line> lines;
  Json json;
  std::optional<std::string> no;  // Why what was asked for cannot be.
  const auto add = [&](std::string title, std::string text, const char* key, double value) {
    lines.push_back({std::move(title), std::move(text), key, value});
  };
  const auto add_time = [&](std::string title, const char* key, physics::Seconds time) {
    add(std::move(title), report::format_duration(time.value()), key, time.value());
  };
  const auto add_rate = [&](std::string title, const char* key, physics::BytesPerSecond rate) {
    const double gbit_s = physics::in_gigabits_per_second(rate);
    add(std::move(title), fmt::format("{:.4g} Gbit/s", gbit_s), key, gbit_s);
  };
  add("distance", fmt::format("{:.0f} km", straight->value()), "distance_km", straight->value());
  add("fibre", fmt::format("{:.0f} km", link.route.value()), "fibre_km", link.route.value());
  add_time("round trip", "round_trip_s", link.round_trip());
  add_rate("long transfers", "throughput_gbit_s", physics::throughput(link, streams));
  const double needed = physics::streams_to_fill(link, *window);
  add("streams that fill the link", fmt::format("{:.0f}", needed), "streams_to_fill", needed);
  if (!options.bytes.empty()) {
    const Result<physics::DataBytes> size = size_of("--bytes", options.bytes);
    if (!size) return std::unexpected(size.error());
    const Result<physics::BytesPerSecond> read = rate_of("--read", options.read);
    if (!read) return std::unexpected(read.error());
    const Result<physics::BytesPerSecond> write = rate_of("--write", options.write);
    if (!write) return std::unexpected(write.error());
    add_time(fmt::format("{} staged", options.bytes), "staging_s",
             physics::staging_time(link, streams, {*read, *write}, *size));
  }
  if (!options.checkpoint.empty()) {
    const Result<physics::DataBytes> size = size_of("--checkpoint", options.checkpoint);
    if (!size) return std::unexpected(size.error());
    const std::optional<double> interval = spec::parse_amount(options.interval, spec::Unit::kSeconds);
    if (!interval || *interval <= 0)
      return fail(fmt::format("--interval {}: write a time, such as 30min", options.interval));
    const physics::Replication copies =
        physics::replicate(link, streams, *size, options.copies, physics::Seconds{*interval});
    add_time("checkpoint copied", "replication_s", copies.copy);
    add_rate("needed for the interval", "replication_gbit_s", copies.needed);
    add("link busy with it",
        fmt::format("{:.1f} %{}", 100 * copies.busy, copies.busy > 1 ? ": copies fall behind" : ""),
        "replication_busy", copies.busy);
    if (copies.busy > 1)
      no = fmt::format("copies of the checkpoint fall behind; give a longer --interval or {:.3g} Gbit/s",
                       physics::in_gigabits_per_second(copies.needed));
    add_time("work at risk with the site", "replication_exposed_s", copies.exposed);
  }
  const physics::DataBytes request{double{1} * options.request_bytes};
  const physics::Seconds serving{options.serving_ms * 1e-3};
  add_time("first token, open connection", "first_token_s",
           physics::inference_round_trip(link, request, serving, false).first_token);
  add_time("first token, new connection", "first_token_fresh_s",
           physics::inference_round_trip(link, request, serving, true).first_token);
  if (options.edge_gpus > 0) {
    if (const double unserved = add_edge(options, lines, json); unserved > 0)
      no = fmt::format("the radio lacks {:.0f} GPU-hours a day; give more --edge-gpus", unserved);
  }
  if (options.json) {
    Json out;
    for (const Line& line : lines) {
      if (line.key != nullptr) out[line.key] = line.value;
    }
    out.update(json.is_null() ? Json::object() : json);
    fmt::print("{}\n", json_out(out));
  } else {
    TextTable table("lr");
    for (const Line& line : lines) table.add({line.title, line.text});
    fmt::print("{}", table.text());
  }
  if (no) return fail(*no);
  return ExitCode::ok;
}

}  // namespace

void add_physics_link_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = physics.add_subcommand("link", "What a fibre between two sites carries, and how fast");
  const auto positive = [&](const char* flags, double& value, const char* help, const char* type,
                            double most) {
    return command->add_option(flags, value, help)->check(number(0, most))->type_name(type);
  };
  const auto text = [&](const char* flags, std::string& value, const char* help, const char* type) {
    return command->add_option(flags, value, help)->type_name(type)->capture_default_str();
  };
  command->add_option("--km", options->km, "Distance as the crow flies")
      ->check(number(0, 20'040))
      ->type_name("KM");
  text("--from", options->from, "One end, instead of --km: latitude,longitude", "PLACE");
  text("--to", options->to, "The other end", "PLACE");
  positive("--route-factor", options->route_factor, "Fibre over distance; by ITU-T G.826 if not given",
           "FACTOR", 10)
      ->check(number(1, 10));
  command->add_option("--gbit-s", options->gbit_s, "Rate in each direction")
      ->check(number(1e-3, 1e9))
      ->type_name("RATE")
      ->capture_default_str();
  positive("--loss", options->loss, "Share of packets that are lost", "SHARE", 0.5);
  command->add_option("--streams", options->streams, "Connections at a time")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  text("--window", options->window, "Largest window of a connection", "SIZE");
  command->add_option("--mtu", options->mtu, "Bytes of a packet")
      ->check(whole_number(576, 65535))
      ->type_name("BYTES")
      ->capture_default_str();
  text("--bytes", options->bytes, "A data set to bring to the other site", "SIZE");
  text("--read", options->read, "Rate at which storage gives it", "RATE");
  text("--write", options->write, "Rate at which storage takes it", "RATE");
  text("--checkpoint", options->checkpoint, "A checkpoint to copy to the other site", "SIZE");
  text("--interval", options->interval, "Time between checkpoints", "TIME");
  command->add_option("--copies", options->copies, "Copies of it over this link")
      ->check(whole_number(1, 1000))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--request-bytes", options->request_bytes,
                   "An inference request with its answer's first part")
      ->check(whole_number(1, 4'000'000'000))
      ->type_name("BYTES")
      ->capture_default_str();
  positive("--serving-ms", options->serving_ms, "Time to its first token at the site", "MS", 1e9)
      ->capture_default_str();
  command->add_option("--edge-gpus", options->edge_gpus, "GPUs of a radio-edge site")
      ->check(number(1, 1e9))
      ->type_name("N");
  positive("--edge-peak", options->edge_peak, "Of them, what the radio takes in its busiest hour", "N", 1e9);
  for (const auto& [name, needed] :
       {std::pair{"--read", "--bytes"}, std::pair{"--write", "--bytes"},
        std::pair{"--interval", "--checkpoint"}, std::pair{"--copies", "--checkpoint"},
        std::pair{"--edge-peak", "--edge-gpus"}})
    command->get_option(name)->needs(command->get_option(needed));
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options] { return link_times(*options); });
}

}  // namespace gw
