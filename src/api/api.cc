// The frame of every request: route, token, role, handler, answer.
#include "api/api.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <utility>

#include "api/log_followers.h"
#include "api/tenant_names.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace gw::api {
namespace {

http::Response json_response(const Json& json, unsigned status) {
  http::Response response;
  response.status = status;
  response.body = text_of(json) + '\n';
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

std::string unknown_parameter_text(const RouteInfo& info, std::string_view name) {
  std::string known;
  for (const RouteInfo::Parameter& parameter : info.query)
    known += (known.empty() ? "" : ", ") + parameter.name;
  return fmt::format("there is no query parameter \"{}\" here; there are: {}", name,
                     known.empty() ? "none" : known);
}

http::Response response_of(const live::Refusal& refusal) {
  http::Response response = json_response(error_json(refusal), refusal.status);
  if (refusal.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"gigawerk\"");
  if (refusal.status == 429 || refusal.status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

/// Larger than those of the servers before this one, which began at an earlier time.
std::uint64_t first_event_id() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::microseconds(std::chrono::duration_cast<std::chrono::microseconds>(since_1970)).count());
}

}  // namespace

void Call::answer(const Json& json, unsigned status,
                  std::vector<std::pair<std::string, std::string>> headers) const {
  http::Response response = json_response(json, status);
  for (auto& header : headers) response.headers.push_back(std::move(header));
  if (status == 200 && (request.method == "GET" || request.method == "HEAD")) {
    std::string lasting = response.body;
    for (const char* name : {"now", "turns"}) {
      const auto value = json.find(name);
      if (value == json.end()) continue;
      // Nothing within a text looks like it: there, quotes have backslashes.
      const std::string part = fmt::format("\"{}\":{}", name, text_of(*value));
      if (const std::size_t at = lasting.find(part); at != std::string::npos) lasting.erase(at, part.size());
    }
    if (const auto now = json.find("now"); now != json.end() && now->is_string())
      response.headers.emplace_back("Gigawerk-Now", now->get<std::string>());
    const std::string tag = fmt::format("\"{:08x}-{:x}\"", crc32c(lasting), lasting.size());
    response.headers.front() = {"Cache-Control", "private, no-cache"};
    response.headers.emplace_back("ETag", tag);
    if (request.header("if-none-match").find(tag) != std::string_view::npos) {
      response.status = 304;
      response.body.clear();
    }
  }
  responder->send(std::move(response));
}

void Call::answer_text(std::string body, std::string content_type, unsigned status) const {
  http::Response response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  response.headers.emplace_back("Cache-Control", "no-store");
  responder->send(std::move(response));
}

void Call::refuse(const live::Refusal& refusal) const { responder->send(response_of(refusal)); }

void Call::refuse(const Error& error) const { refuse(live::Refusal{503, "store", error.message}); }

std::string Call::text(std::string_view name) const {
  const std::string* value = request.parameter(name);
  return value == nullptr ? std::string() : *value;
}

std::optional<std::uint64_t> Call::number(std::string_view name, std::uint64_t fallback, std::uint64_t least,
                                          std::uint64_t most) const {
  const std::string* value = request.parameter(name);
  if (value == nullptr || value->empty()) return fallback;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error == std::errc() && end == value->data() + value->size() && number >= least && number <= most)
    return number;
  refuse(
      {400, "bad_parameter", fmt::format("\"{}\" must be a whole number from {} to {}", name, least, most)});
  return std::nullopt;
}

Api::Api(ApiOptions options)
    : options_(std::move(options)),
      authority_(options_.foreign_tokens),
      hub_([factory = options_.factory](
               const std::function<void(const live::Book&)>& look) { factory->read(look); },
           {.watchers = options_.most_watchers}, first_event_id()) {}

Api::~Api() = default;

Result<std::unique_ptr<Api>> Api::make(ApiOptions options) {
  GW_CHECK(options.factory != nullptr);
  std::unique_ptr<Api> api(new Api(std::move(options)));
  Result<std::unique_ptr<Readers>> readers = Readers::start(api->options_.open_reader, api->options_.readers);
  if (!readers) return std::unexpected(readers.error());
  api->readers_ = std::move(*readers);
  if (!api->options_.jobs.empty()) {
    Result<std::unique_ptr<LogFollowers>> followers =
        LogFollowers::start(api->options_.jobs, *api->options_.factory);
    if (!followers) return std::unexpected(followers.error());
    api->followers_ = std::move(*followers);
  }
  api->add_routes();
  api->options_.factory->read([&](const live::Book& book) { api->hub_.begin_with(book); });
  return api;
}

void Api::add(RouteInfo info, Handler handler) {
  routes_.push_back(info);
  router_.add(
      info.method, info.pattern,
      [this, info, handler](http::Request request, http::PathParameters parameters,
                            std::shared_ptr<http::Responder> responder) {
        Call call{std::move(request), std::move(parameters), std::move(responder)};
        if (info.role) {
          std::expected<live::Actor, live::Refusal> actor =
              options_.factory->read([&](const live::Book& book) {
                return authority_.identify(call.request, book, options_.factory->now());
              });
          if (!actor) return call.refuse(actor.error());
          call.actor = std::move(*actor);
          if (!options_.factory->book_is_true())
            return call.refuse({503, "store", "the store cannot be reached; ask again in a moment"});
          if (call.actor.role < *info.role)
            return call.refuse({403, "forbidden",
                                fmt::format("this needs the role {}; the token has {}",
                                            live::name_of(*info.role), live::name_of(call.actor.role))});
          if (info.everywhere && call.actor.tenant != TenantTree::root())
            return call.refuse({403, "forbidden", "this needs a token for the whole factory"});
        }
        for (const auto& [name, value] : call.request.query) {
          const auto is_it = [&](const RouteInfo::Parameter& known) { return known.name == name; };
          if (std::none_of(info.query.begin(), info.query.end(), is_it))
            return call.refuse({400, "unknown_parameter", unknown_parameter_text(info, name)});
        }
        (this->*handler)(std::move(call));
      });
}

void Api::handle(http::Request request, std::shared_ptr<http::Responder> responder) {
  const http::Router::Match match = router_.match(request.method, request.segments);
  if (std::holds_alternative<http::Router::NoSuchPath>(match)) {
    const Call call{std::move(request), {}, std::move(responder)};
    return call.refuse({404, "not_found", "there is nothing at this path; see /openapi.json"});
  }
  if (const auto* wrong = std::get_if<http::Router::WrongMethod>(&match);
      wrong != nullptr && request.method != "OPTIONS") {
    http::Response response =
        response_of({405, "wrong_method",
                     fmt::format("{} is not for this path; there are: {}", request.method, wrong->allow)});
    response.headers.emplace_back("Allow", wrong->allow);
    return responder->send(std::move(response));
  }
  router_.handle(std::move(request), std::move(responder));
}

std::optional<http::Response> Api::admit_large_body(const http::Request& head) {
  const std::expected<live::Actor, live::Refusal> actor = options_.factory->read(
      [&](const live::Book& book) { return authority_.identify(head, book, options_.factory->now()); });
  if (actor) return std::nullopt;
  return response_of(actor.error());
}

void Api::kept(const live::Changes& changes) {
  if (changes.new_jobs.empty() && changes.changed_jobs.empty() && count_notices(changes) == 0) return;
  if (!hub_.pass_over(changes))
    options_.factory->read([&](const live::Book& book) { hub_.publish(changes, book); });
  if (followers_ != nullptr && !changes.changed_jobs.empty()) followers_->tell(changes.changed_jobs);
}

void Api::beat() {
  const Instant now = options_.factory->now();
  const auto may_go_on = [&](const live::Book& book, const live::Actor& actor) {
    return authority_.holds(actor, book, now);
  };
  hub_.beat(may_go_on);
  if (followers_ != nullptr) followers_->beat(may_go_on);
}

void Api::close() {
  hub_.close();
  if (followers_ != nullptr) followers_->close();
}

void Api::ask(Call call, decltype(live::Command::what) what,
              std::function<void(const Call&, const live::Reply&)> done) {
  const live::Actor actor = call.actor;
  options_.factory->ask(actor, std::move(what),
                        [call = std::move(call), done = std::move(done)](const live::Reply& reply) {
                          if (reply.refusal) return call.refuse(*reply.refusal);
                          done(call, reply);
                        });
}

std::optional<std::vector<TenantId>> Api::visible(const Call& call, std::string_view path) {
  std::optional<std::vector<TenantId>> tenants;
  options_.factory->read([&](const live::Book& book) {
    const TenantId top = path.empty() ? call.actor.tenant : book.tenant(path);
    if (!top.valid() || !book.is_within(top, call.actor.tenant)) return;
    tenants.emplace();
    if (top == TenantTree::root()) return;
    // Parents come before their children, so one walk finds all below.
    std::vector<bool> within(book.tenants.size());
    for (std::uint32_t id = 0; id < book.tenants.size(); ++id) {
      const TenantId parent = book.tenants[id].record.parent;
      within[id] = TenantId{id} == top || (parent.valid() && within[parent.value()]);
      if (within[id]) tenants->push_back(TenantId{id});
    }
  });
  if (!tenants)
    call.refuse(options_.factory->read(
        [&](const live::Book& book) { return unknown_tenant(book, path, call.actor.tenant); }));
  return tenants;
}

void Api::post(Call call, Readers::Size size, std::function<void(Call, live::Archive&)> work) {
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post([call = std::move(call), work = std::move(work)](
                                         live::Archive& archive) mutable { work(std::move(call), archive); },
                                     size);
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

void Api::with_job(Call call, WithJob then) {
  const std::string name = call.parameters.text("job");
  with_job(std::move(call), name, std::move(then));
}

void Api::with_job(Call call, const std::string& name, WithJob then) {
  const std::optional<JobReference> reference = parse_job_id(name);
  const live::Refusal unknown{404, "unknown_job", fmt::format("there is no job {}", name)};
  if (!reference) return call.refuse(unknown);
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post([this, call = std::move(call), reference = *reference, unknown,
                                      then = std::move(then)](live::Archive& archive) {
    const Result<std::optional<live::JobRecord>> job =
        reference.index ? archive.task(reference.number, *reference.index) : archive.job(reference.number);
    if (!job) return call.refuse(job.error());
    const bool visible = *job && options_.factory->read([&](const live::Book& book) {
      return (*job)->tenant.value() < book.tenants.size() &&
             book.is_within((*job)->tenant, call.actor.tenant);
    });
    if (!visible) return call.refuse(unknown);
    then(call, archive, **job);
  });
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

}  // namespace gw::api
