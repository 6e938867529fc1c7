// Api: the HTTP interface of a live factory: who may ask for what, and how it is answered.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/authority.h"
#include "api/hub.h"
#include "api/json.h"
#include "api/readers.h"
#include "http/router.h"
#include "live/factory.h"

namespace gw::api {

class LogFollowers;
struct TenantBody;
struct WhatIfBody;
class Call;

/// A figure for Prometheus beside those that the API itself knows.
struct Figure {
  std::string name;
  std::string help;
  bool counter = false;
  double value = 0;
};

/// A job that would be taken, for a forecast of its start.
struct DryRun {
  JobRequest request;
  std::uint32_t count = 1;         ///< Tasks.
  std::uint32_t most_running = 0;  ///< Of these at a time; 0 = any number.
  bool held = false;
  live::BlockReason blocked = live::BlockReason::kNone;
};

struct ApiOptions {
  live::Factory* factory = nullptr;
  Readers::Open open_reader;
  unsigned readers = 2;
  std::filesystem::path jobs;  ///< Folder of the local engine; empty: there is no output.
  ForeignTokens foreign_tokens;
  /// The forecast of a job's start as JSON, by its number; called on a reader's thread.
  std::function<std::expected<Json, live::Refusal>(std::uint64_t number)> eta;
  /// What would start a waiting job sooner, by its number: fields of an explanation. On a reader's thread.
  std::function<std::expected<Json, live::Refusal>(std::uint64_t number)> changes;
  /// When a job that is submitted now would start, and what it costs. On a reader's thread.
  std::function<std::expected<Json, live::Refusal>(const DryRun& job)> dry_run;
  /// The nearest shapes that could ever run, for one that could not.
  std::function<Json(const JobRequest& request)> nearest_possible;
  /// Compares the factory with a changed one: takes the request over and answers it. On a reader's thread.
  std::function<void(WhatIfBody body, Call call)> what_if;
  std::function<std::vector<Figure>()> figures;
  std::function<void(std::string_view)> log;
  std::string version;
  std::string engine;
  bool public_metrics = false;
  /// Is there a Unix account of that name where jobs run? Empty: it does not matter.
  std::function<bool(const std::string&)> account_exists;
  std::size_t most_watchers = 4096;
};

/// What a route is, for the router, for authorisation and for the OpenAPI document.
struct RouteInfo {
  std::string method;
  std::string pattern;
  std::string summary;
  std::string tag;
  /// The least role that may use it; none: everybody, without a token.
  std::optional<live::Role> role = live::Role::kViewer;
  bool everywhere = false;  ///< Only for tokens whose rights are not bound to a tenant.
  struct Parameter {
    std::string name;
    std::string description;
    std::string schema;  ///< JSON.
  };
  std::vector<Parameter> query;
  std::string request;   ///< Name of a component schema; empty: no body.
  std::string response;  ///< The same; empty: none, or another content type.
  unsigned status = 200;
  std::string content_type = "application/json";
};

/// One authorised request.
struct Call {
  http::Request request;
  http::PathParameters parameters;
  std::shared_ptr<http::Responder> responder;
  live::Actor actor = {};

  /// With an ETag where it answers a GET: 304 if the client has it already. What changes all the time (`now`,
  /// `turns`) has no part in it; `now` is in a header, too, which a 304 has as well.
  void answer(const Json& json, unsigned status = 200,
              std::vector<std::pair<std::string, std::string>> headers = {}) const;
  void answer_text(std::string body, std::string content_type, unsigned status = 200) const;
  void refuse(const live::Refusal& refusal) const;
  void refuse(const Error& error) const;  ///< 503: the store.

  /// The query parameter as a whole number in [least, most]; refuses (and gives none) if it is something
  /// else.
  std::optional<std::uint64_t> number(std::string_view name, std::uint64_t fallback, std::uint64_t least,
                                      std::uint64_t most) const;
  [[nodiscard]] std::string text(std::string_view name) const;
};

class Api {
 public:
  static Result<std::unique_ptr<Api>> make(ApiOptions options);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// For http::Server.
  void handle(http::Request request, std::shared_ptr<http::Responder> responder);
  /// For http::ServerOptions: large bodies are for those who have a token.
  std::optional<http::Response> admit_large_body(const http::Request& head);
  /// To be called after each turn that kept something.
  void kept(const live::Changes& changes);
  /// To be called every few seconds.
  void beat();
  /// Ends all streams.
  void close();

  [[nodiscard]] const std::vector<RouteInfo>& routes() const { return routes_; }
  [[nodiscard]] std::string openapi() const;

 private:
  using Handler = void (Api::*)(Call);
  explicit Api(ApiOptions options);
  void add(RouteInfo info, Handler handler);
  void add_routes();

  // jobs_routes.cc
  void submit(Call call);
  void submit_now(Call call);
  void dry_run(Call call);
  void submit_batch(Call call);
  void submit_batch_now(Call call);
  void list_jobs(Call call);
  void show_job(Call call);
  void explain(Call call);
  void eta(Call call);
  void order_job(Call call);
  void watch(Call call);
  // search_routes.cc
  void search_jobs(Call call, live::JobFilter filter, std::uint64_t offset);
  void search_nodes(const Call& call, const std::vector<NodeId>& nodes_listed, std::uint64_t after,
                    std::uint64_t limit);
  void what_if(Call call);
  // output_routes.cc
  void output(Call call);
  void follow(Call call);
  // factory_routes.cc
  void list_nodes(Call call);
  void page_nodes(const Call& call, const std::vector<NodeId>& nodes, std::uint64_t after,
                  std::uint64_t limit);
  void show_node(Call call);
  void change_node(Call call);
  void list_tenants(Call call);
  void show_tenant(Call call);
  void add_tenant(Call call);
  [[nodiscard]] std::optional<live::Refusal> unknown_account(const TenantBody& body) const;
  void change_tenant(Call call);
  // reservation_routes.cc
  void list_reservations(Call call);
  void make_reservation(Call call);
  void find_reservation(Call call);
  void delete_reservation(Call call);
  // cap_routes.cc
  void list_caps(Call call);
  void set_cap(Call call);
  void clear_cap(Call call);
  // quota_routes.cc
  void list_quotas(Call call);
  void change_quota(Call call);
  // factory_routes.cc
  void list_tokens(Call call);
  void add_token(Call call);
  void revoke_token(Call call);
  // defrag_routes.cc
  void defrag(Call call);
  // account_routes.cc
  void usage(Call call);
  void audit(Call call);
  void decisions(Call call);
  void job_decision(Call call);
  // meta_routes.cc
  void health(Call call);
  void ready(Call call);
  void metrics(Call call);
  void openapi_document(Call call);
  void summary(Call call);
  void whoami(Call call);

  /// A command to the factory; `done` answers.
  void ask(Call call, decltype(live::Command::what) what,
           std::function<void(const Call&, const live::Reply&)> done);
  /// The tenants that the actor may see within `path` (its own scope where empty); refuses with 404
  /// otherwise. Empty: all of them.
  std::optional<std::vector<TenantId>> visible(const Call& call, std::string_view path);
  /// A job that the actor may see, the path's or that of `name`: its record from the archive. `then` runs on
  /// a reader's thread.
  using WithJob = std::function<void(const Call&, live::Archive&, const live::JobRecord&)>;
  void with_job(Call call, WithJob then);
  void with_job(Call call, const std::string& name, WithJob then);
  /// Runs `work` on a reader's thread; refuses with 503 where too much waits.
  void post(Call call, Readers::Size size, std::function<void(Call, live::Archive&)> work);
  void answer_dry_run(const Call& call, const JobSpec& spec, DryRun job, const live::Reply& reply);
  void watch_job(const Call& call, live::Archive& archive, const live::JobRecord& job, TenantId top);

  ApiOptions options_;
  http::Router router_;
  std::vector<RouteInfo> routes_;
  Authority authority_;
  Hub hub_;
  std::unique_ptr<Readers> readers_;
  std::unique_ptr<LogFollowers> followers_;
  Json openapi_;
};

/// The components of the OpenAPI document: `name` to JSON Schema.
Json component_schemas();

}  // namespace gw::api
