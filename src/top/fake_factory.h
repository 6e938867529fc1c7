// FakeFactory: a factory for tests of gw top that answers as the server does, from lists in memory; and
// Session, which plays a user before it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "top/model.h"

namespace gw::top {

inline constexpr const char* kFakeNow = "2026-11-26T12:03:45Z";

class FakeFactory {
 public:
  Json summary = {{"now", kFakeNow},
                  {"version", "1"},
                  {"engine", "local"},
                  {"fleet", "munich-1"},
                  {"policy", "gigawerk"},
                  {"healthy", true},
                  {"nodes", 12},
                  {"nodes_off", 1},
                  {"gpus",
                   {{{"gpu_type", "h100"}, {"all", 64}, {"used", 52}, {"free", 8}, {"off", 4}},
                    {{"gpu_type", "l40s"}, {"all", 32}, {"used", 4}, {"free", 28}, {"off", 0}}}},
                  {"jobs", {{"open", 0}, {"running", 0}}},
                  {"turns", 9}};
  std::vector<Json> jobs, nodes, tenants;
  std::map<std::string, std::string> outputs;  ///< By job.
  std::uint64_t output_attempt = 1;
  bool reachable = true;
  std::size_t rows_given = 0;  ///< Of lists, in all.

  Json& add_job(const std::string& id, const std::string& name, const std::string& status, double gpus) {
    Json job{{"id", id},
             {"number", jobs.size() + 1},
             {"name", name},
             {"tenant", "acme/vision"},
             {"user", "anna"},
             {"status", status},
             {"ended", false},
             {"nodes", 1},
             {"gpus", gpus},
             {"cpus", 8},
             {"memory_mib", 0},
             {"limit_s", 7200},
             {"priority", 0},
             {"attempt", 0},
             {"submitted", "2026-11-26T10:00:00Z"}};
    if (status == "running") {
      job["started"] = "2026-11-26T11:00:00Z";
      job["place"] = "rack-1/node-" + id;
      job["attempt"] = 1;
    } else if (status == "waiting") {
      job["reason"] = "capacity";
    } else if (status == "held") {
      job["reason"] = "held";
    }
    jobs.push_back(std::move(job));
    return jobs.back();
  }

  Json& add_node(const std::string& name, const std::string& state, int gpus_free) {
    nodes.push_back({{"name", name},
                     {"type", "dgx-h100"},
                     {"state", state},
                     {"gpu_type", "h100"},
                     {"gpus", 8},
                     {"gpus_free", gpus_free},
                     {"cpus", 224},
                     {"cpus_free", 28 * gpus_free},
                     {"memory_mib", 2 << 20},
                     {"memory_mib_free", (2 << 17) * gpus_free}});
    return nodes.back();
  }

  Json& add_tenant(const std::string& path, int weight, double running, double asked, int jobs_open) {
    tenants.push_back({{"path", path},
                       {"name", path.substr(path.rfind('/') + 1)},
                       {"weight", weight},
                       {"limits", {{"gpus", 0}, {"jobs", 0}}},
                       {"jobs", jobs_open},
                       {"running", running > 0 ? 1 : 0},
                       {"gpus_running", running},
                       {"gpus_asked", asked}});
    return tenants.back();
  }

  Answer answer(const Ask& ask) {
    Answer answer{.ask = ask, .json = Json(), .output = {}, .failure = {}};
    const auto refuse = [&](client::Failure::Kind kind, unsigned status, std::string message) {
      answer.failure = client::Failure{kind, status, "", std::move(message)};
      return answer;
    };
    if (!reachable)
      return refuse(client::Failure::Kind::kUnreachable, 0,
                    "cannot reach http://x: refused; is gw serve running there?");
    switch (ask.kind) {
      case Ask::Kind::kSummary:
        count_jobs();
        answer.json = summary;
        break;
      case Ask::Kind::kJobs:
        answer.json = page("jobs", jobs, ask.target, "offset");
        break;
      case Ask::Kind::kNodes:
        answer.json = page("nodes", nodes, ask.target, "after");
        break;
      case Ask::Kind::kTenants:
        answer.json = {{"tenants", tenants}};
        break;
      case Ask::Kind::kNode:
        for (const Json& node : nodes) {
          if (ask.target == "/v1/nodes/" + node["name"].get<std::string>()) answer.json = node;
        }
        break;
      case Ask::Kind::kJob:
      case Ask::Kind::kExplain: {
        const Json* job = job_of(ask.target);
        if (job == nullptr) return refuse(client::Failure::Kind::kRefused, 404, "there is no such job");
        answer.json = *job;
        if (ask.kind == Ask::Kind::kExplain)
          answer.json = {{"id", (*job)["id"]},
                         {"status", (*job)["status"]},
                         {"reason",
                          {{"name", "capacity"},
                           {"text", "too few GPUs of its kind are free"},
                           {"since", "2026-11-26T10:00:01Z"}}},
                         {"facts",
                          {{"gpus_asked", 8},
                           {"gpus_free", 8},
                           {"gpus_off", 4},
                           {"jobs_waiting", 7},
                           {"gpus_free_of_its_kind", 2},
                           {"reservation", {{"job", nullptr}, {"at", "2026-11-26T14:00:00Z"}}}}},
                         {"history", {{{"since", "2026-11-26T10:00:01Z"}, {"reason", "capacity"}}}}};
        break;
      }
      case Ask::Kind::kOutput: {
        const Json* job = job_of(ask.target);
        if (job == nullptr) return refuse(client::Failure::Kind::kRefused, 404, "there is no such job");
        const std::string& all = outputs[(*job)["id"]];
        const std::size_t offset =
            std::min(all.size(), static_cast<std::size_t>(number(ask.target, "offset", 0)));
        answer.output = {all.substr(offset, number(ask.target, "limit", 100)),
                         output_attempt,
                         offset,
                         0,
                         0,
                         all.size(),
                         false};
        answer.output.next = offset + answer.output.bytes.size();
        break;
      }
    }
    return answer;
  }

  static std::uint64_t number(const std::string& target, const std::string& name, std::uint64_t fallback) {
    const std::string text = parameter(target, name);
    return text.empty() ? fallback : std::strtoull(text.c_str(), nullptr, 10);
  }
  /// As it stands in the target: percent-encoded.
  static std::string parameter(const std::string& target, const std::string& name) {
    for (const char before : {'?', '&'}) {
      const std::size_t at = target.find(before + name + "=");
      if (at == std::string::npos) continue;
      const std::size_t from = at + name.size() + 2;
      return target.substr(from, target.find('&', from) - from);
    }
    return "";
  }

 private:
  void count_jobs() {
    std::map<std::string, int> states{{"held", 0}, {"blocked", 0}, {"waiting", 0}, {"running", 0}};
    for (const Json& job : jobs) ++states[job["status"]];
    summary["jobs"] = {{"open", jobs.size()}, {"running", states["running"]}};
    if (!summary.contains("scoped")) summary["jobs_by_state"] = states;
  }

  Json page(const char* key, const std::vector<Json>& all, const std::string& target, const char* from_name) {
    const std::string text = parameter(target, "text");
    std::vector<const Json*> found;
    for (const Json& each : all) {
      if (each["name"].get<std::string>().find(text) != std::string::npos) found.push_back(&each);
    }
    Json json{{key, Json::array()}, {"found", found.size()}};
    const std::size_t from = number(target, from_name, 0), limit = number(target, "limit", 100);
    for (std::size_t index = from; index < found.size() && index - from < limit; ++index, ++rows_given)
      json[key].push_back(*found[index]);
    return json;
  }

  const Json* job_of(const std::string& target) const {
    const std::string rest = target.substr(std::string("/v1/jobs/").size());
    const std::string id = rest.substr(0, rest.find_first_of("/?"));
    for (const Json& job : jobs) {
      if (job["id"] == id) return &job;
    }
    return nullptr;
  }
};

/// A screen, its user and the factory behind it, without a terminal or a network.
class Session {
 public:
  explicit Session(FakeFactory& world, std::size_t columns = 80, std::size_t rows = 24,
                   ModelOptions options = {})
      : factory(world), model(options) {
    model.resize(columns, rows);
    pass(1);
  }

  /// So many seconds later: everything is asked and answered.
  void pass(std::int64_t seconds) {
    now_ns_ += seconds * 1'000'000'000;
    model.tick(now_ns_);
    settle(true);
  }
  void press(std::string_view text) {
    for (const char c : text) press_key({KeyCode::kText, std::string(1, c)});
  }
  void press(KeyCode code, int times = 1) {
    for (int i = 0; i < times; ++i) press_key({code, ""});
  }
  [[nodiscard]] std::string frame() const { return draw(model.screen()).text(); }
  [[nodiscard]] std::string row(std::size_t row) const { return draw(model.screen()).row_text(row); }
  [[nodiscard]] std::string last_row() const { return row(model.screen().rows - 1); }
  /// The text of the selected row.
  [[nodiscard]] std::string selected() const {
    const Canvas canvas = draw(model.screen());
    const Layout layout = layout_of(model.screen());
    for (std::size_t at = layout.list_row; at < layout.last_row; ++at) {
      if (canvas.at(at, 0).look.reverse) return canvas.row_text(at);
    }
    return "";
  }

  FakeFactory& factory;
  Model model;
  std::vector<Order> orders;
  std::vector<Ask> asks;  ///< All so far.

 private:
  void press_key(const Key& key) {
    model.press(key);
    for (Order& order : model.take_orders()) orders.push_back(std::move(order));
    settle(false);
  }
  void settle(bool anew) {
    std::vector<Ask> answered;
    for (int round = 0; round < 10; ++round) {
      bool asked = false;
      for (const Ask& ask : wish_of(model.screen())) {
        if (std::find(answered.begin(), answered.end(), ask) != answered.end()) continue;
        if (!anew && std::find(last_.begin(), last_.end(), ask) != last_.end()) continue;
        answered.push_back(ask);
        asks.push_back(ask);
        model.take(factory.answer(ask));
        asked = true;
      }
      if (!asked) break;
    }
    last_ = wish_of(model.screen());
  }

  std::vector<Ask> last_;
  std::int64_t now_ns_ = 0;
};

}  // namespace gw::top
