// Server: gw serve as a whole: store, factory, engine, API and HTTP put together, started and ended in order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/oidc.h"
#include "base/result.h"
#include "http/server.h"
#include "live/controller.h"
#include "live/prices.h"
#include "model/faults.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "model/power_schedule.h"
#include "serve/log.h"
#include "spec/catalog.h"

namespace gw::serve {

enum class EngineKind : std::uint8_t { kLocal, kTwin };

/// What the files say that the factory is made of.
struct FactoryFiles {
  std::optional<Fleet> fleet;  ///< None: this machine.
  PolicyConfig policy;
  FaultSpec faults;      ///< Of the simulated factory.
  PowerSchedule energy;  ///< Its prices and carbon; its events are for simulations.
  Law law;               ///< Of the fleet's file, or without one the catalog's groups alone.
  live::Prices prices;
};

struct ServeOptions : FactoryFiles {
  std::filesystem::path data;  ///< Folder of everything that is kept here.
  std::string store;           ///< `postgres://...`; empty: SQLite in `data`.
  http::ServerOptions http;
  EngineKind engine = EngineKind::kLocal;
  spec::Catalog catalog;  ///< By which this machine's GPUs are known.
  double speed = 1;       ///< Simulated seconds a second.
  std::uint64_t seed = 1;
  Nanoseconds default_limit = hours(24);
  std::uint64_t most_jobs = live::ControllerOptions{}.most_jobs;
  bool requeue_forbidden = false;  ///< See live::ControllerOptions.
  bool accept_losses = false;      ///< See live::ControllerOptions; of a fleet that was given.
  bool public_metrics = false;
  std::optional<api::OidcOptions> oidc;  ///< An issuer whose tokens are believed beside our own.
  bool control_groups = true;
  /// Run to limit the power of GPUs (live::PowerLimiter); empty: clocks are not capped, jobs are stopped.
  std::filesystem::path power_limit_command;
  std::string version;
  /// Reads the files anew; none: there are none.
  std::function<Result<FactoryFiles>()> read_files;
  /// Asked while it stands by for another server: true ends the wait.
  std::function<bool()> stop;
  /// Labelled places of the path of a turn, for tests that end the process there.
  std::function<void(std::string_view)> at_point;
};

class Server {
 public:
  /// Starts everything; when it returns, requests are answered.
  static Result<std::unique_ptr<Server>> start(ServeOptions options, Log& log);
  /// Ends everything in order; jobs go on.
  virtual ~Server() = default;

  /// `http://127.0.0.1:7411`
  [[nodiscard]] virtual const std::string& url() const = 0;
  /// The token that was made because there was none; empty otherwise. Shown once.
  [[nodiscard]] virtual const std::string& first_token() const = 0;
  [[nodiscard]] virtual const std::filesystem::path& token_file() const = 0;
  /// To be called about every second: keeps streams alive, looks after the lease.
  virtual void tick() = 0;
  /// SIGHUP: reads certificates, an OpenID Connect issuer's keys, and the factory's files anew. The factory
  /// goes on with the files as after a restart with them; where one cannot be read, or the changed fleet
  /// would cost running jobs and that is not accepted, nothing changes, and the log says so.
  virtual void reload() = 0;
  /// False once it must end: another server has taken over.
  [[nodiscard]] virtual bool healthy() const = 0;
};

}  // namespace gw::serve
