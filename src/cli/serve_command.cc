// `gw serve`: the control plane of a factory.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "api/oidc_file.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/spec_files.h"
#include "cli/version.h"
#include "client/connection.h"
#include "live/price_file.h"
#include "serve/server.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

struct Options {
  std::string data, address = "127.0.0.1", fleet, policy, engine = "local", store, certificate, key, prices,
                    log = "auto", limit, oidc, power_limit;
  std::uint16_t port = 7411;
  double speed = 1;
  std::uint64_t seed = 1;
  std::uint32_t connections = 4096, connections_per_address = 0;
  std::uint64_t most_jobs = serve::ServeOptions{}.most_jobs;
  bool accept_losses = false;
  std::string forbidden = "finish";
  bool public_metrics = false;
  bool no_cgroups = false;
};

/// Tells systemd (Type=notify) how we are: sd_notify(3), without its library.
void notify(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || *path == '\0' || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (*path == '@') address.sun_path[0] = '\0';
  const int socket_file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_file < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  static_cast<void>(sendto(socket_file, state.data(), state.size(), MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&address), size));
  close(socket_file);
}

/// Ends the process at a labelled place, for tests of durability: GIGAWERK_FAULT=LABEL:N (at its N-th
/// passing).
std::function<void(std::string_view)> fault_point() {
  const char* wish = std::getenv("GIGAWERK_FAULT");
  if (wish == nullptr) return {};
  const std::string text(wish);
  const std::size_t colon = text.rfind(':');
  const std::string label = text.substr(0, colon);
  auto left = std::make_shared<std::uint64_t>(
      colon == std::string::npos ? 1 : std::strtoull(text.c_str() + colon + 1, nullptr, 10));
  return [label, left](std::string_view at) {
    if (at == label && *left > 0 && --*left == 0) kill(getpid(), SIGKILL);
  };
}

/// What --fleet, --prices and --policy say the factory is.
Result<serve::FactoryFiles> read_files(const Options& options, const spec::Catalog& catalog) {
  serve::FactoryFiles files;
  if (options.fleet.empty()) {
    spec::Findings findings("catalog");
    files.law = spec::build_law({}, catalog.country_groups, findings);
  } else {
    Result<spec::Scenario> scenario = load_scenario(options.fleet);
    if (!scenario) return std::unexpected(scenario.error());
    files.fleet = std::move(scenario->fleet);
    files.law = std::move(scenario->law);
    files.policy = scenario->policy;
    files.faults = scenario->faults;
    files.energy = scenario->power;
  }
  if (!options.prices.empty()) {
    spec::Checked<live::Prices> prices = live::read_prices(options.prices);
    if (!prices) return fail(spec::diagnostics_text(prices.error()));
    files.prices = std::move(*prices);
  }
  if (!options.policy.empty()) files.policy = *policy_by_name(options.policy);
  return files;
}

Result<ExitCode> serve_factory(const AppContext& context, const Options& options) {
  if (options.certificate.empty() != options.key.empty()) {
    print_error(context, "https needs both a certificate (--tls-cert) and its key (--tls-key)");
    return ExitCode::usage;
  }
  if (options.engine == "local" && options.speed != 1) {
    print_error(context,
                "--speed is for simulated factories (--engine twin); jobs on this machine take their time");
    return ExitCode::usage;
  }
  serve::ServeOptions serve;
  serve.data = options.data.empty() ? client::default_data_folder() : options.data;
  serve.store = options.store;
  serve.http.address = options.address;
  serve.http.port = options.port;
  serve.http.tls_certificate = options.certificate;
  serve.http.tls_key = options.key;
  serve.http.connections = options.connections;
  serve.http.connections_per_address = options.connections_per_address;
  serve.most_jobs = options.most_jobs;
  serve.http.body_bytes = std::size_t{16} << 20;
  serve.engine = options.engine == "twin" ? serve::EngineKind::kTwin : serve::EngineKind::kLocal;
  serve.speed = options.speed;
  serve.seed = options.seed;
  serve.accept_losses = options.accept_losses;
  serve.requeue_forbidden = options.forbidden == "requeue";
  serve.public_metrics = options.public_metrics;
  serve.control_groups = !options.no_cgroups;
  if (!options.power_limit.empty() && options.engine == "twin") {
    print_error(context, "--power-limit-command is for jobs that really run; simulated clocks need none");
    return ExitCode::usage;
  }
  serve.power_limit_command = options.power_limit;
  serve.version = version_line();
  serve.at_point = fault_point();
  if (options.fleet.empty() && serve.engine == serve::EngineKind::kTwin) {
    print_error(context, "--engine twin needs a factory to simulate: --fleet FILE");
    return ExitCode::usage;
  }
  if (options.fleet.empty()) {
    Result<spec::Catalog> catalog = load_catalog();
    if (!catalog) return std::unexpected(catalog.error());
    serve.catalog = std::move(*catalog);
  }
  Result<serve::FactoryFiles> files = read_files(options, serve.catalog);
  if (!files) return std::unexpected(files.error());
  static_cast<serve::FactoryFiles&>(serve) = std::move(*files);
  if (!options.fleet.empty() || !options.prices.empty())
    serve.read_files = [options, catalog = serve.catalog] { return read_files(options, catalog); };
  if (!options.limit.empty()) {
    const std::optional<double> limit = spec::parse_amount(options.limit, spec::Unit::kNanoseconds);
    if (!limit || *limit < 1e9 || *limit > 3.2e18) {
      print_error(context, fmt::format("--default-limit {}: write for example 24h", options.limit));
      return ExitCode::usage;
    }
    serve.default_limit = Nanoseconds{static_cast<std::int64_t>(*limit)};
  }
  if (!options.oidc.empty()) {
    spec::Checked<api::OidcOptions> oidc = api::read_oidc_file(options.oidc);
    if (!oidc) {
      for (const spec::Diagnostic& finding : oidc.error()) print_error(context, finding.text());
      return ExitCode::failed;
    }
    serve.oidc = std::move(*oidc);
    // Tokens with many groups are long; so must be the header that they come in.
    serve.http.header_bytes = std::size_t{32} << 10;
  }
  const bool json = options.log == "json" || (options.log == "auto" && isatty(STDERR_FILENO) == 0);
  serve::Log log(stderr, json, serve::Level::kInfo);

  // Signals are taken by this thread alone; the others inherit the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  serve.stop = [&signals] {
    const timespec now{0, 0};
    const int signal = sigtimedwait(&signals, nullptr, &now);
    return signal == SIGINT || signal == SIGTERM;
  };
  Result<std::unique_ptr<serve::Server>> server = serve::Server::start(std::move(serve), log);
  if (!server) return std::unexpected(server.error());
  fmt::print("gw serve: ready at {}\n", (*server)->url());
  if (!(*server)->first_token().empty())
    fmt::print("gw serve: admin token, shown this once (kept in {}):\n{}\n", (*server)->token_file().string(),
               (*server)->first_token());
  std::fflush(stdout);
  log.info("ready", {{"url", (*server)->url()}});
  notify("READY=1");
  for (;;) {
    timespec second{1, 0};
    const int signal = sigtimedwait(&signals, nullptr, &second);
    if (signal == SIGINT || signal == SIGTERM) break;
    if (signal == SIGHUP) (*server)->reload();
    (*server)->tick();
    if (!(*server)->healthy()) {
      log.error("another server has taken over; this one ends");
      return ExitCode::failed;
    }
  }
  log.info("stopping; running jobs go on");
  notify("STOPPING=1");
  server->reset();
  log.info("stopped");
  return ExitCode::ok;
}

}  // namespace

void add_serve_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("serve", "Run the control plane: share this machine, or a simulated factory");
  command->group(kGroupFactory);
  command
      ->add_option("--data", options->data,
                   "Folder for everything that is kept (default: $XDG_STATE_HOME/gigawerk; as a service "
                   "/var/lib/gigawerk)")
      ->type_name("DIR");
  command->add_option("--address", options->address, "Address to listen on, or unix:/PATH")
      ->capture_default_str()
      ->type_name("ADDRESS");
  command->add_option("--port", options->port, "Port to listen on; 0 = any that is free")
      ->check(whole_number(0, 65535))
      ->capture_default_str()
      ->type_name("PORT");
  command
      ->add_option("--fleet", options->fleet,
                   "Fleet or scenario (YAML): its nodes, policy, faults (default: this machine)")
      ->type_name("FILE");
  command->add_flag("--accept-losses", options->accept_losses,
                    "Go on with a changed fleet though jobs lose their nodes, or can never run any more");
  command
      ->add_option(
          "--forbidden", options->forbidden,
          "Jobs that run where a rule that comes into force, or a changed fact, forbids it: let them "
          "finish, or requeue them")
      ->capture_default_str()
      ->check(CLI::IsMember({"finish", "requeue"}));
  std::vector<std::string> policies;
  for (const PolicyName& policy : policy_names()) policies.emplace_back(policy.name);
  command
      ->add_option("--policy", options->policy,
                   "How to decide (default: gigawerk, or what the fleet file says)")
      ->check(CLI::IsMember(policies));
  command->add_option("--engine", options->engine, "local: run jobs here; twin: simulate them on the fleet")
      ->capture_default_str()
      ->check(CLI::IsMember({"local", "twin"}));
  command->add_option("--speed", options->speed, "Twin: simulated seconds a second")
      ->check(number(0.001, 1e6))
      ->capture_default_str()
      ->type_name("N");
  command->add_option("--seed", options->seed, "Twin: seed of run times and failures")
      ->check(whole_number(0, kAnyWhole))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--store", options->store, "Keep everything in PostgreSQL: postgres://USER@HOST/DATABASE")
      ->type_name("URL");
  command->add_option("--prices", options->prices, "Price plans (YAML), in euros an hour")->type_name("FILE");
  command
      ->add_option(
          "--power-limit-command", options->power_limit,
          "Program that limits GPUs' power when a feed's cap falls (docs/power.md); without it jobs are "
          "stopped")
      ->type_name("FILE");
  command->add_option("--default-limit", options->limit, "Time limit of jobs that name none (default: 24h)")
      ->type_name("TIME");
  CLI::Option* certificate =
      command->add_option("--tls-cert", options->certificate, "Certificate chain (PEM): serve HTTPS")
          ->type_name("FILE");
  command->add_option("--tls-key", options->key, "Its key (PEM)")->type_name("FILE")->needs(certificate);
  command
      ->add_option("--oidc", options->oidc,
                   "OpenID Connect issuer whose tokens are believed beside our own (YAML)")
      ->type_name("FILE");
  command->add_option("--connections", options->connections, "Connections at a time")
      ->check(whole_number(1, 1'000'000))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--connections-per-address", options->connections_per_address,
                   "Connections of one address at a time; 0 = any number")
      ->check(whole_number(0, 1'000'000))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--most-jobs", options->most_jobs,
                   "Jobs in the system at a time, each task of an array counted")
      ->check(whole_number(1, 100'000'000))
      ->capture_default_str()
      ->type_name("N");
  command->add_flag("--public-metrics", options->public_metrics, "Give /metrics without a token");
  command->add_flag("--no-cgroups", options->no_cgroups, "Hold jobs to their limits without control groups");
  command->add_option("--log", options->log, "Log lines as text or JSON (auto: text on a terminal)")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "text", "json"}));
  command->footer(
      "SIGTERM ends the server; jobs go on and are found again. SIGHUP reads the fleet and the prices, the "
      "certificate\nand the issuer's keys anew: as a restart would, and not where that would end jobs that "
      "may not "
      "be lost.\n\n"
      "Examples:\n"
      "  gw serve\n"
      "  gw serve --fleet scenarios/small-cluster.yaml --engine twin --speed 60\n"
      "  gw serve --address 0.0.0.0 --tls-cert chain.pem --tls-key key.pem");
  set_action(*command, context, [&context, options] { return serve_factory(context, *options); });
}

}  // namespace gw
