// Starting and ending in order.
#include "serve/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <future>

#include "api/api.h"
#include "api/token.h"
#include "files/output_file.h"
#include "live/archive.h"
#include "live/discover.h"
#include "live/local_engine.h"
#include "live/power_limiter.h"
#include "live/sql_store.h"
#include "serve/advisor.h"
#include "serve/forecaster.h"
#include "serve/leadership.h"
#include "serve/steady_unix_clock.h"
#include "serve/twin_engine.h"
#include "serve/what_if_desk.h"
#include "sql/database.h"

namespace gw::serve {
namespace {

namespace fs = std::filesystem;

std::string own_name() {
  const passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : "admin";
}

bool account_exists(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(std::size_t{16} << 10);
  // Where accounts cannot be looked up just now, the engine says so when a job is to start.
  return getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found != nullptr;
}

/// The folder, for its owner alone.
Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
  if (chmod(folder.c_str(), 0711) != 0)
    return fail(fmt::format("{}: cannot set its mode: {}", folder.string(), std::strerror(errno)));
  return {};
}

/// A file that nobody else may read, whole or not at all.
Result<void> write_private(const fs::path& path, std::string_view text) {
  const fs::path partial = path.string() + ".new";
  unlink(partial.c_str());
  const int file = open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fail(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
  const bool written =
      write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
  const int error = errno;
  close(file);
  if (!written || rename(partial.c_str(), path.c_str()) != 0)
    return fail(fmt::format("{}: cannot write: {}", path.string(), std::strerror(written ? errno : error)));
  return {};
}

/// The database holds what jobs were given as secrets; the folder that it stands in may be passed through by
/// every account. SQLite gives its other files the mode of the first.
Result<void> make_store_private(const fs::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return fail(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
  const int changed = fchmod(file, 0600);
  const int error = errno;
  close(file);
  if (changed != 0)
    return fail(fmt::format("{}: cannot set its mode: {}", path.string(), std::strerror(error)));
  for (const char* beside : {"-wal", "-shm", ".lock"}) chmod((path.string() + beside).c_str(), 0600);
  return {};
}

/// What keep_time() wrote, Unix time in nanoseconds; 0: nothing that can be read.
constexpr std::string_view kTimeFile = "time";
std::int64_t read_time(const fs::path& path) {
  std::ifstream file(path);
  std::int64_t unix_ns = 0;
  return file >> unix_ns ? std::max<std::int64_t>(0, unix_ns) : 0;
}

bool is_of_this_machine(std::string_view address) {
  return address.starts_with("unix:") || address.starts_with("127.") || address == "::1" ||
         address == "localhost";
}

class ServerParts final : public Server {
 public:
  ServerParts(ServeOptions options, Log& log) : options_(std::move(options)), log_(log) {}

  ~ServerParts() override {
    if (api_) api_->close();
    if (what_if_) what_if_->end();
    if (http_) http_->drain(5);
    http_.reset();
    keep_time();
    if (factory_) factory_->stop();
    if (leadership_ && leadership_->lost_elsewhere()) {
      log_.warn("its jobs are ended here: the server that has taken over runs elsewhere");
      factory_->abandon();
    }
    api_.reset();
    what_if_.reset();
    advisor_.reset();
    forecaster_.reset();
    factory_.reset();
    leadership_.reset();  // Last: nobody takes over before all is kept.
  }

  Result<void> start() {
    if (Result<void> made = make_folder(options_.data); !made) return made;
    if (Result<void> opened = open_issuer(); !opened) return opened;
    if (Result<void> opened = open_store(); !opened) return opened;
    if (Result<void> opened = open_factory(); !opened) return opened;
    if (Result<void> made = make_api(); !made) return made;
    factory_->start();
    started_ = true;
    if (Result<void> made = make_first_token(); !made) return made;
    return listen();
  }

  [[nodiscard]] const std::string& url() const override { return url_; }
  [[nodiscard]] const std::string& first_token() const override { return first_token_; }
  [[nodiscard]] const fs::path& token_file() const override { return token_file_; }

  void tick() override {
    if (++ticks_ % 15 == 0) api_->beat();
    keep_time();
    const std::int64_t ahead_s = clock_.ahead_ns() / 1'000'000'000;
    if (ahead_s != last_ahead_s_ && (ahead_s > 10 || ahead_s < -10) && ticks_ % 60 == 1)
      log_.warn("the system's clock has been set; the factory's own time goes on",
                {{"ahead_s", fmt::format("{}", ahead_s)}});
    last_ahead_s_ = ahead_s;
  }

  void reload() override {
    if (oidc_) oidc_->reload();
    reload_files();
    if (options_.http.tls_certificate.empty()) return;
    if (Result<void> done = http_->reload_tls(); !done) {
      log_.error(done.error().message);
    } else {
      log_.info("certificate read anew");
    }
  }
  [[nodiscard]] bool healthy() const override { return !leadership_ || leadership_->held(); }

 private:
  void reload_files() {
    if (!options_.read_files) return;
    Result<FactoryFiles> files = options_.read_files();
    if (!files) {
      log_.error("the factory goes on as it is: " + files.error().message);
      return;
    }
    live::ControllerOptions next =
        factory_->read([&](const live::Book&) { return live::ControllerOptions(factory_->options()); });
    next.policy = files->policy;
    next.prices = files->prices;
    next.law = files->law;
    next.energy = files->energy;
    if (files->fleet) next.fleet = std::move(*files->fleet);
    std::function<void()> before_recover;
    if (twin_ != nullptr) {
      before_recover = [this, faults = files->faults, fleet = next.fleet] {
        *twin_ = twin_engine(fleet, faults);
      };
    }
    factory_->reload(std::move(next), std::move(before_recover),
                     [this](const Result<std::vector<std::string>>& notes) {
                       if (!notes) {
                         log_.error("the factory goes on as it is: " + notes.error().message);
                         return;
                       }
                       for (const std::string& note : *notes) log_.warn(note);
                       log_.info("fleet and prices read anew");
                     });
  }

  /// Simulated time passes at another speed than that of the world.
  [[nodiscard]] bool has_own_time() const {
    return options_.engine == EngineKind::kTwin && options_.speed != 1;
  }

  /// For the next start: what has passed since the last event is written nowhere else.
  void keep_time() {
    if (!started_ || !has_own_time()) return;
    const std::int64_t now = factory_->read(
        [&](const live::Book& book) { return book.unix_ns(std::max(book.now, factory_->now())); });
    const Result<void> written = write_private(options_.data / kTimeFile, fmt::format("{}\n", now));
    if (!written && !std::exchange(time_lost_, true)) log_.warn(written.error().message);
  }

  Result<void> open_issuer() {
    if (!options_.oidc) return {};
    options_.oidc->keys.log = [this](std::string_view message) { log_.warn(message); };
    Result<std::unique_ptr<api::Oidc>> oidc = api::Oidc::start(*options_.oidc);
    if (!oidc) return std::unexpected(oidc.error());
    oidc_ = std::move(*oidc);
    return {};
  }

  Result<void> open_store() {
    if (options_.store.empty()) {
      if (Result<void> made = make_store_private(options_.data / "gigawerk.db"); !made) return made;
    }
    Result<std::unique_ptr<sql::Database>> database =
        options_.store.empty() ? sql::open_sqlite((options_.data / "gigawerk.db").string())
                               : sql::open_postgres(options_.store);
    if (!database) return std::unexpected(database.error());
    database_ = database->get();
    if (Result<void> led = lead(); !led) return led;
    Result<std::unique_ptr<live::SqlStore>> store =
        live::SqlStore::open(std::move(*database), options_.at_point);
    if (!store) return std::unexpected(store.error());
    store_ = std::move(*store);
    if (leadership_) store_->set_fence([this](sql::Database& writer) { leadership_->fence(writer); });
    return {};
  }

  /// On a shared database: waits until this server is the one that serves.
  Result<void> lead() {
    if (options_.store.empty()) return {};
    Result<std::unique_ptr<sql::Database>> database = sql::open_postgres(options_.store);
    if (!database) return std::unexpected(database.error());
    Leadership::Options options;
    options.engine = engine_id();
    options.stop = options_.stop;
    options.log = [this](std::string_view message) { log_.info(message); };
    options.elsewhere = [this] { end_own_attempts(); };
    Result<std::unique_ptr<Leadership>> leadership =
        Leadership::take(std::move(*database), std::move(options));
    if (!leadership) return std::unexpected(leadership.error());
    leadership_ = std::move(*leadership);
    return {};
  }

  /// A server elsewhere leads. What still runs here, of a time when this one did, must not run beside what
  /// that one may start again.
  void end_own_attempts() {
    std::error_code ignored;
    if (options_.engine != EngineKind::kLocal || !fs::exists(options_.data / "jobs", ignored)) return;
    live::LocalEngineOptions engine;
    engine.folder = options_.data / "jobs";
    engine.control_groups = options_.control_groups;
    engine.to_instant = [](std::int64_t) { return Instant{}; };
    Result<std::unique_ptr<live::LocalEngine>> local = live::LocalEngine::open(std::move(engine));
    if (local) {
      (*local)->recover({});  // Nothing is expected: all is ended.
    } else {
      log_.warn("jobs that may still run here cannot be looked for: " + local.error().message);
    }
  }

  Result<void> open_factory() {
    live::ControllerOptions controller;
    controller.policy = options_.policy;
    controller.prices = options_.prices;
    controller.law = options_.law;
    controller.requeue_forbidden = options_.requeue_forbidden;
    controller.default_limit = options_.default_limit;
    controller.engine_id = engine_id();
    if (getrandom(&controller.lineage, sizeof controller.lineage, 0) != sizeof controller.lineage)
      return fail(fmt::format("no random numbers: {}", std::strerror(errno)));
    controller.most_jobs = options_.most_jobs;
    controller.energy = options_.energy;
    controller.clocks = options_.engine == EngineKind::kTwin || !options_.power_limit_command.empty();
    if (options_.fleet) {
      controller.fleet = *options_.fleet;
      controller.accept_losses = options_.accept_losses;
    } else {
      const live::FoundMachine machine = live::discover_machine();
      live::MachineFleet found = live::machine_fleet(machine, options_.catalog);
      if (!found.note.empty()) log_.warn(found.note);
      controller.fleet = std::move(found.fleet);
      controller.fleet.node_names = {machine.host.empty() ? "localhost" : machine.host};
      gpus_ = std::move(found.gpus);
    }
    live::FactoryHooks hooks;
    hooks.log = [this](std::string_view message) { log_.warn(message); };
    hooks.at_point = options_.at_point;
    hooks.kept = [this](const live::Changes& changes) {
      if (forecaster_) forecaster_->learn(changes);
      if (api_) api_->kept(changes);
      const sql::Counters counters = database_->counters();
      commits_ = counters.commits;
      syncs_ = counters.syncs;
    };
    live::UnixClock clock = [this] { return clock_.now_unix_ns(); };
    if (has_own_time()) {
      const std::int64_t began = clock_.now_unix_ns();
      // It stands still while no server runs, and does not go back.
      const std::int64_t from = std::max(began, read_time(options_.data / kTimeFile));
      clock = [this, began, from] {
        return from +
               static_cast<std::int64_t>(static_cast<double>(clock_.now_unix_ns() - began) * options_.speed);
      };
    }
    factory_ = std::make_unique<live::Factory>(std::move(controller), std::move(store_), std::move(clock),
                                               std::move(hooks));
    if (options_.engine == EngineKind::kTwin) factory_->set_clock_rate(options_.speed);
    Result<std::unique_ptr<live::Engine>> engine = make_engine();
    if (!engine) return std::unexpected(engine.error());
    if (Result<void> opened = factory_->open(std::move(*engine)); !opened) return opened;
    forecaster_ = std::make_unique<Forecaster>(*factory_);
    Result<std::unique_ptr<sql::Database>> reader = database_->open_reader();
    if (!reader) return std::unexpected(reader.error());
    const auto fractions = live::Archive(std::move(*reader)).run_fractions(10'000);
    if (!fractions) return std::unexpected(fractions.error());
    forecaster_->learn(*fractions);
    forecaster_->start();
    return {};
  }

  /// Attempts belong to the engine on this machine and folder, whoever serves.
  [[nodiscard]] std::string engine_id() const {
    if (options_.engine == EngineKind::kTwin) return "twin";
    std::ifstream file("/etc/machine-id");
    std::string machine;
    std::getline(file, machine);
    std::error_code ignored;
    return fmt::format("local:{}:{}", machine.empty() ? "unknown" : machine,
                       fs::weakly_canonical(options_.data, ignored).string());
  }

  Result<std::unique_ptr<live::Engine>> make_engine() {
    if (options_.engine == EngineKind::kTwin) return make_twin_engine();
    live::LocalEngineOptions engine;
    engine.folder = options_.data / "jobs";
    engine.control_groups = options_.control_groups;
    engine.rules.gpus = gpus_;
    // The factory destroys its engine, when factory_ leads to it no more.
    live::Factory* factory = factory_.get();
    engine.to_instant = [factory](std::int64_t unix_ns) { return factory->instant_of(unix_ns); };
    engine.wake = [factory] { factory->wake(); };
    Result<std::unique_ptr<live::LocalEngine>> local = live::LocalEngine::open(std::move(engine));
    if (!local) return std::unexpected(local.error());
    if (!(*local)->missing_limits().empty()) log_.warn((*local)->missing_limits());
    if (geteuid() == 0)
      log_.warn("jobs of tenants without a Unix user run as root; see gw tenants set --unix-user");
    if (options_.power_limit_command.empty()) return std::unique_ptr<live::Engine>(std::move(*local));
    live::PowerLimiterOptions limits;
    limits.command = fs::absolute(options_.power_limit_command);
    limits.file = options_.data / "power-limits";
    for (const live::LocalGpu& gpu : gpus_) limits.gpu_names.push_back(gpu.name);
    limits.log = [this](std::string_view message) { log_.error(message); };
    Result<std::unique_ptr<live::PowerLimiter>> limiter =
        live::PowerLimiter::open(std::move(*local), std::move(limits));
    if (!limiter) return std::unexpected(limiter.error());
    limiter_ = limiter->get();
    return std::unique_ptr<live::Engine>(std::move(*limiter));
  }

  Result<std::unique_ptr<live::Engine>> make_twin_engine() {
    auto engine = std::make_unique<TwinEngine>(twin_engine(*options_.fleet, options_.faults));
    twin_ = engine.get();
    return std::unique_ptr<live::Engine>(std::move(engine));
  }

  [[nodiscard]] TwinEngine twin_engine(const Fleet& fleet, const FaultSpec& faults) const {
    TwinEngineOptions engine;
    engine.seed = options_.seed;
    engine.faults = faults;
    return TwinEngine(fleet, [factory = factory_.get()] { return factory->now(); }, engine);
  }

  Result<void> make_api() {
    api::ApiOptions api;
    api.factory = factory_.get();
    api.open_reader = [this] { return database_->open_reader(); };
    if (options_.engine == EngineKind::kLocal) {
      api.jobs = options_.data / "jobs";
      api.account_exists = account_exists;
    }
    api.version = options_.version;
    api.engine = options_.engine == EngineKind::kLocal ? "local" : "twin";
    api.public_metrics = options_.public_metrics;
    api.log = [this](std::string_view message) { log_.warn(message); };
    if (oidc_) {
      api.foreign_tokens = [this](std::string_view token, const live::Book& book) {
        return oidc_->identify(token, book);
      };
    }
    api.figures = [this] { return figures(); };
    api.eta = [this](std::uint64_t number) { return forecaster_->eta(number); };
    advisor_ = std::make_unique<Advisor>(*factory_, *forecaster_);
    api.changes = [this](std::uint64_t number) { return advisor_->changes(number); };
    api.dry_run = [this](const api::DryRun& job) { return advisor_->dry_run(job); };
    api.nearest_possible = [this](const JobRequest& request) { return advisor_->nearest_possible(request); };
    Result<std::unique_ptr<sql::Database>> reader = database_->open_reader();
    if (!reader) return std::unexpected(reader.error());
    what_if_ = std::make_unique<WhatIfDesk>(*factory_, *forecaster_,
                                            std::make_unique<live::Archive>(std::move(*reader)));
    api.what_if = [this](api::WhatIfBody body, api::Call call) {
      what_if_->ask(std::move(body), std::move(call));
    };
    Result<std::unique_ptr<api::Api>> made = api::Api::make(std::move(api));
    if (!made) return std::unexpected(made.error());
    api_ = std::move(*made);
    return {};
  }

  std::vector<api::Figure> figures() {
    std::vector<api::Figure> figures;
    figures.push_back(
        {"gigawerk_store_commits_total", "Transactions committed.", true, static_cast<double>(commits_)});
    figures.push_back({"gigawerk_store_syncs_total", "Times that the store was forced to disk.", true,
                       static_cast<double>(syncs_)});
    if (limiter_ != nullptr)
      figures.push_back({"gigawerk_power_limit_failures_total",
                         "Times that the command that limits GPUs' power failed for good.", true,
                         static_cast<double>(limiter_->failures())});
    if (!http_) return figures;
    const http::ServerCounters http = http_->counters();
    figures.push_back({"gigawerk_http_requests_total", "Requests handed to the API.", true,
                       static_cast<double>(http.requests_total)});
    figures.push_back({"gigawerk_http_requests_refused_total",
                       "Requests that were malformed, too large or too slow.", true,
                       static_cast<double>(http.requests_refused)});
    figures.push_back({"gigawerk_http_connections", "Connections that are open.", false,
                       static_cast<double>(http.connections_open)});
    return figures;
  }

  /// The first start: an admin's token, in a file that its owner alone can read.
  Result<void> make_first_token() {
    token_file_ = options_.data / "admin.token";
    const bool some = factory_->read([](const live::Book& book) { return !book.tokens.empty(); });
    if (some) return {};
    const api::NewToken token = api::make_token();
    live::TokenOrder order;
    order.add.emplace();
    order.add->id = token.id;
    order.add->hash = token.hash;
    order.add->role = live::Role::kAdmin;
    order.add->tenant = TenantTree::root();
    order.add->user = own_name();
    order.add->label = "made at the first start";
    // The file first: a token that is known and lost would be worse than one that is unknown.
    if (Result<void> written = write_private(token_file_, token.text + "\n"); !written) return written;
    std::promise<std::optional<live::Refusal>> done;
    factory_->ask({"", "gigawerk", live::Role::kAdmin, TenantTree::root(), ""}, std::move(order),
                  [&](const live::Reply& reply) { done.set_value(reply.refusal); });
    if (const std::optional<live::Refusal> refusal = done.get_future().get()) return fail(refusal->message);
    first_token_ = token.text;
    return {};
  }

  Result<void> listen() {
    http::ServerOptions http = options_.http;
    http.threads = std::max(2U, http.threads);  // One peer's large request must not stall all others.
    http.log = [this](std::string_view message) { log_.warn(message); };
    http.admit_large_body = [this](const http::Request& head) { return api_->admit_large_body(head); };
    Result<std::unique_ptr<http::Server>> server =
        http::Server::start(http, [this](http::Request request, std::shared_ptr<http::Responder> responder) {
          api_->handle(std::move(request), std::move(responder));
        });
    if (!server) return std::unexpected(server.error());
    http_ = std::move(*server);
    const bool tls = !options_.http.tls_certificate.empty();
    if (!tls && !is_of_this_machine(http.address))
      log_.warn("tokens and output cross the network in the clear: serve HTTPS (--tls-cert, --tls-key)",
                {{"address", http.address}});
    if (http.address.starts_with("unix:")) {
      url_ = http.address;
    } else {
      const bool v6 = http.address.find(':') != std::string::npos;
      url_ = fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", v6 ? "[" : "", http.address, v6 ? "]" : "",
                         http_->port());
    }
    // For clients on this machine: where to find it.
    return write_private(options_.data / "server.url", url_ + "\n");
  }

  ServeOptions options_;
  Log& log_;
  SteadyUnixClock clock_;
  sql::Database* database_ = nullptr;  ///< Owned by the store.
  std::unique_ptr<Leadership> leadership_;
  std::unique_ptr<live::SqlStore> store_;
  std::unique_ptr<live::Factory> factory_;
  std::unique_ptr<Forecaster> forecaster_;
  std::unique_ptr<Advisor> advisor_;
  std::unique_ptr<WhatIfDesk> what_if_;
  std::unique_ptr<api::Oidc> oidc_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<http::Server> http_;
  std::string url_;
  std::string first_token_;
  fs::path token_file_;
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::vector<live::LocalGpu> gpus_;             ///< Of this machine.
  TwinEngine* twin_ = nullptr;                   ///< The factory's engine, or none.
  const live::PowerLimiter* limiter_ = nullptr;  ///< The factory's engine, or none.
  std::uint64_t ticks_ = 0;
  bool started_ = false;    ///< The factory is.
  bool time_lost_ = false;  ///< That it cannot be kept has been said.
  std::int64_t last_ahead_s_ = 0;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServeOptions options, Log& log) {
  auto server = std::make_unique<ServerParts>(std::move(options), log);
  if (Result<void> started = server->start(); !started) return std::unexpected(started.error());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace gw::serve
