// The OpenAPI 3.1 document, made from the table of routes and the descriptions that bodies are read by.
#include <fmt/format.h>

#include <set>

#include "api/api.h"
#include "api/bodies.h"
#include "spec/job_fields.h"
#include "spec/schema_writer.h"

namespace gw::api {
namespace {

Json object(std::initializer_list<std::pair<std::string, Json>> properties,
            std::vector<std::string> optional = {}) {
  Json json{{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
  for (const auto& [name, schema] : properties) {
    json["properties"][name] = schema;
    if (std::find(optional.begin(), optional.end(), name) == optional.end()) json["required"].push_back(name);
  }
  json["additionalProperties"] = false;
  return json;
}

Json list_of(const std::string& name, const std::string& component, bool paged = true) {
  Json json =
      object({{name, {{"type", "array"}, {"items", {{"$ref", "#/components/schemas/" + component}}}}}});
  if (paged) {
    json["properties"]["next"] = {{"type", {"string", "null"}}, {"description", "Leads to the next page."}};
    json["required"].push_back("next");
  }
  return json;
}

Json type(const char* name) { return {{"type", name}}; }
Json or_null(const char* name) { return {{"type", {name, "null"}}}; }
Json described(Json schema, const char* description) {
  schema["description"] = description;
  return schema;
}
Json ref(const char* component) { return {{"$ref", std::string("#/components/schemas/") + component}}; }

const Json kTime = {{"type", "string"}, {"format", "date-time"}};

Json explanation_facts() {
  std::vector<std::pair<std::string, Json>> facts{
      {"reservation", object({{"job", or_null("string")}, {"at", kTime}})},
      {"begin", kTime},
      {"one_will_do", type("boolean")},
      {"waits_for",
       {{"type", "array"}, {"items", object({{"on", type("string")}, {"impossible", type("boolean")}})}}}};
  facts.emplace_back(
      "own_reservation",
      described(
          object({{"name", type("string")}, {"from", kTime}, {"to", kTime}, {"active", type("boolean")}}),
          "The reservation that it names, and when that is next."));
  facts.emplace_back(
      "reservations",
      described(
          {{"type", "array"},
           {"items",
            object({{"name", type("string")}, {"for", type("string")}, {"from", kTime}, {"to", kTime}})}},
          "Those that keep it off nodes that could hold it, without those of other tenants."));
  facts.emplace_back("rules", described({{"type", "array"}, {"items", type("string")}},
                                        "Which rules and wishes narrow where it may be, and by how much."));
  facts.emplace_back(
      "feeds_unmet",
      described(
          {{"type", "array"},
           {"items", object({{"feed", type("string")},
                             {"draw_w", type("number")},
                             {"cap_w", type("number")},
                             {"since", kTime}})}},
          "Feeds above nodes that could hold it, which draw more than their caps; for those who see the "
          "whole factory."));
  for (const char* name :
       {"gpus_asked", "gpus_free", "gpus_reserved", "gpus_off", "gpus_free_of_its_kind",
        "gpus_reserved_of_its_kind", "cpus_asked_per_node", "cpus_free", "cpus_free_most_of_a_node",
        "memory_mib_asked_per_node", "memory_mib_free_most_of_a_node", "nodes_of_its_kind",
        "nodes_of_its_kind_off", "nodes_of_its_kind_reserved", "jobs_waiting"})
    facts.emplace_back(name, type("number"));
  Json json = object({});
  for (const auto& [name, schema] : facts) json["properties"][name] = schema;
  return described(std::move(json), "What is so now; which of these depends on the reason.");
}

std::vector<std::pair<std::string, Json>> job_properties() {
  Json states = Json::array();
  for (const live::JobState state :
       {live::JobState::kHeld, live::JobState::kBlocked, live::JobState::kWaiting, live::JobState::kRunning})
    states.push_back(live::name_of(state));
  for (int outcome = 1; outcome <= static_cast<int>(live::Outcome::kDependency); ++outcome)
    states.push_back(live::name_of(static_cast<live::Outcome>(outcome)));
  return {
      {"id", described(type("string"), "The number; `array_index` of a task.")},
      {"number", type("integer")},
      {"name", type("string")},
      {"tenant", type("string")},
      {"user", type("string")},
      {"status", {{"enum", states}}},
      {"ended", type("boolean")},
      {"stopping", type("boolean")},
      {"leaving", described(type("boolean"), "It has been told to go, and will wait again.")},
      {"leaving_for", described(type("integer"), "The job that starts once it has gone.")},
      {"array",
       object({{"job", type("integer")},
               {"index", type("integer")},
               {"tasks", type("integer")},
               {"rest",
                described(object({{"tasks", type("integer")}, {"indices", type("string")}}),
                          "Where this stands for several tasks of a large array: how many, and which.")}})},
      {"nodes", type("integer")},
      {"gpus", described(type("number"), "In all.")},
      {"cpus", described(type("number"), "In all.")},
      {"memory_mib", described(type("integer"), "Per node; 0 = no wish.")},
      {"limit_s", type("number")},
      {"priority", type("integer")},
      {"submitted", kTime},
      {"attempt", described(type("integer"), "The latest; 0 = it has not started yet.")},
      {"started", kTime},
      {"place", described(type("string"), "Its nodes.")},
      {"ended_at", kTime},
      {"exit_code", type("integer")},
      {"signal", type("integer")},
      {"note", type("string")},
      {"reason", described(type("string"), "What keeps it back.")}};
}

Json job_schema() {
  Json json{{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  for (const auto& [name, schema] : job_properties()) json["properties"][name] = schema;
  json["required"] = {"id",   "number", "name",       "tenant",  "user",     "status",    "ended",  "nodes",
                      "gpus", "cpus",   "memory_mib", "limit_s", "priority", "submitted", "attempt"};
  return json;
}

Json node_schema() {
  return object({{"name", type("string")},
                 {"type", type("string")},
                 {"state", {{"enum", {"up", "down", "draining", "drained"}}}},
                 {"gpu_type", type("string")},
                 {"gpus", type("integer")},
                 {"gpus_free", type("integer")},
                 {"cpus", type("number")},
                 {"cpus_free", or_null("number")},
                 {"memory_mib", type("integer")},
                 {"memory_mib_free", or_null("integer")},
                 {"reason", type("string")},
                 {"by", type("string")},
                 {"since", kTime}},
                {"gpu_type", "reason", "by", "since"});
}

/// A node, or of several only their names' common part and their states.
Json node_changed_schema() {
  Json schema = node_schema();
  schema["required"] = {"name", "count"};
  schema["properties"]["count"] = described(type("integer"), "Nodes that the name stands for.");
  schema["properties"]["states"] =
      described(object({{"up", type("integer")},
                        {"down", type("integer")},
                        {"draining", type("integer")},
                        {"drained", type("integer")}}),
                "How many are in which; only of more than one node, which have no other fields.");
  return schema;
}

Json token_schema() {
  return object({{"id", type("string")},
                 {"tenant", type("string")},
                 {"role", {{"enum", {"viewer", "member", "operator", "admin"}}}},
                 {"user", type("string")},
                 {"label", type("string")},
                 {"created", kTime},
                 {"expires", or_null("string")},
                 {"revoked", type("boolean")}});
}

Json with(Json schema, std::initializer_list<std::pair<std::string, Json>> properties, bool required = true) {
  for (const auto& [name, property] : properties) {
    schema["properties"][name] = property;
    if (required) schema["required"].push_back(name);
  }
  return schema;
}

/// When something starts, by a forecast.
Json start_schema() {
  return object({{"p50", or_null("string")},
                 {"p50_s", or_null("number")},
                 {"p90", or_null("string")},
                 {"p90_s", or_null("number")},
                 {"members", type("integer")},
                 {"task", described(type("integer"), "How many tasks of the array were looked at.")},
                 {"text", type("string")}},
                {"task"});
}

Json change_schema() {
  return object(
      {{"change",
        {{"enum",
          {"gpu-types", "level", "spread", "preemptible", "zones", "cpus", "memory", "limit", "size"}}}},
       {"text", type("string")},
       {"options", described(type("string"), "Of gw submit and gw run.")},
       {"set", described(type("object"), "Fields of a job; see `job`.")},
       {"given_up", described(type("number"), "How much of the wish, from 0 to 1.")}},
      {"options"});
}

Json warnings_schema() {
  return described({{"type", "array"}, {"items", type("string")}},
                   "For people: what it is taken in spite of, such as a deadline before its limit.");
}

Json dry_run_schema() {
  return object(
      {{"answer", described({{"enum", {"when", "kept-back", "never-as-things-stand", "not-now", "never"}}},
                            "not-now and never: it would be refused.")},
       {"text", type("string")},
       {"count", type("integer")},
       {"as_of", kTime},
       {"start", ref("Start")},
       {"last_start", described(ref("Start"), "Of the last task of an array that was looked at.")},
       {"kept_back", object({{"name", type("string")}, {"text", type("string")}})},
       {"cost", object({{"price_plan", type("string")},
                        {"micro_eur_per_hour", described(type("integer"), "Of one task.")},
                        {"at_most_micro_eur",
                         described(type("integer"),
                                   "All tasks to their limit, on the dearest GPUs they may get.")}})},
       {"refusal", object({{"code", type("string")}, {"message", type("string")}})},
       {"warnings", warnings_schema()},
       {"nearest", described({{"type", "array"}, {"items", change_schema()}},
                             "Changes with which some part of the factory could hold it.")}},
      {"count", "as_of", "start", "last_start", "kept_back", "cost", "refusal", "warnings", "nearest"});
}

Json what_if_schema() {
  const Json names{{"type", "array"}, {"items", type("string")}};
  const Json numbers{{"type", "array"}, {"items", type("number")}};
  const Json both = object({{"base", type("number")}, {"changed", type("number")}});
  const Json comparison = object({{"base", type("number")},
                                  {"changed", type("number")},
                                  {"difference", type("number")},
                                  {"low", type("number")},
                                  {"high", type("number")}});
  const Json shifts{{"type", "array"},
                    {"items", object({{"job", type("string")},
                                      {"name", type("string")},
                                      {"tenant", type("string")},
                                      {"base_s", type("number")},
                                      {"changed_s", type("number")},
                                      {"base_unstarted", type("integer")},
                                      {"changed_unstarted", type("integer")}})}};
  return object(
      {{"as_of", kTime},
       {"horizon_s", described(type("number"), "As it was run.")},
       {"shortened", described(type("boolean"), "There is too much to simulate for the horizon asked for.")},
       {"members", type("integer")},
       {"changes", described(names, "What is different, in words.")},
       {"notes", described(names, "What the comparison leaves out.")},
       {"waiting_jobs", type("integer")},
       {"new_jobs", described(type("number"), "That arrive, mean of the members.")},
       {"figures",
        {{"type", "object"},
         {"additionalProperties",
          described(
              object({{"base", type("number")},
                      {"changed", type("number")},
                      {"difference", type("number")},
                      {"low", type("number")},
                      {"high", type("number")},
                      {"at_least",
                       described(object({{"base", type("boolean")}, {"changed", type("boolean")}}),
                                 "The horizon has cut waits that it is made of: it is this or more.")}}),
              "Means of the members; the mean difference of equal members and its 95 % interval.")}}},
       {"feeds", described({{"type", "array"},
                            {"items", object({{"feed", type("string")},
                                              {"mean_w", comparison},
                                              {"peak_w", comparison},
                                              {"above_s", comparison},
                                              {"cap_w", object({{"base", or_null("number")},
                                                                {"changed", or_null("number")}})}})}},
                           "Of the feeds of `caps`: predicted IT power, the lowest cap, and time above it.")},
       {"gpus_up", both},
       {"series", object({{"step_s", type("number")},
                          {"gpus_base", numbers},
                          {"gpus_changed", numbers},
                          {"watts_base", numbers},
                          {"watts_changed", numbers}})},
       {"sooner", shifts},
       {"later", shifts},
       {"interrupted", described(names, "Jobs that the change stops at once.")},
       {"rejected", described(names, "Jobs that nothing could hold any more.")}});
}

Json usage_sums() {
  return object(
      {{"attempts", type("integer")},
       {"gpu_seconds", type("number")},
       {"core_seconds", type("number")},
       {"energy_j", type("integer")},
       {"price_micro_eur", type("integer")},
       {"credit_micro_eur", described(type("integer"), "Of the price, what was given back; not positive.")}});
}

/// The described records as components: each `$defs` entry becomes one.
void add_record(Json& components, const std::string& name, const std::string& text) {
  std::string moved = text;
  for (std::size_t at = moved.find("#/$defs/"); at != std::string::npos; at = moved.find("#/$defs/", at))
    moved.replace(at, 8, "#/components/schemas/");
  Json schema = Json::parse(moved);
  schema.erase("$schema");
  schema.erase("$id");
  if (schema.contains("$defs")) {
    for (const auto& [key, value] : schema["$defs"].items()) components[key] = value;
    schema.erase("$defs");
  }
  if (!components.contains(name)) components[name] = schema;
}

/// `/v1/tenants/{tenant...}` as OpenAPI writes paths, and the names in it.
std::string openapi_path(std::string_view pattern, std::vector<std::string>& names) {
  std::string path;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    path += pattern[at];
    if (pattern[at] != '{') continue;
    std::string name;
    for (++at; at < pattern.size() && pattern[at] != '}'; ++at) {
      if (pattern[at] != '.') name += pattern[at];
    }
    names.push_back(name);
    path += name + '}';
  }
  return path;
}

}  // namespace

Json component_schemas() {
  Json components = Json::object();
  add_record(components, "job", spec::json_schema_of<spec::JobRecord>());
  add_record(components, "node_change", spec::json_schema_of<NodeBody>());
  add_record(components, "tenant_change", spec::json_schema_of<TenantBody>());
  add_record(components, "what_if", spec::json_schema_of<WhatIfBody>());
  add_record(components, "quota_change", spec::json_schema_of<QuotaBody>());
  add_record(components, "reservation_request", spec::json_schema_of<ReservationBody>());
  add_record(components, "cap_request", spec::json_schema_of<CapBody>());
  add_record(components, "token_request", spec::json_schema_of<TokenBody>());
  components["Error"] =
      object({{"error", object({{"status", type("integer")},
                                {"code", described(type("string"), "Stable, for programs.")},
                                {"message", described(type("string"), "For people.")}})}});
  components["Status"] = object({{"status", type("string")}});
  components["Count"] = object({{"count", type("integer")}});
  components["Submitted"] = object({{"id", type("string")},
                                    {"number", type("integer")},
                                    {"count", described(type("integer"), "Tasks of the array, else 1.")},
                                    {"repeated", type("boolean")},
                                    {"warnings", warnings_schema()}},
                                   {"repeated", "warnings"});
  components["Batch"] = object({{"jobs", {{"type", "array"}, {"items", ref("job")}, {"maxItems", 10'000}}}});
  components["BatchResult"] =
      object({{"results", {{"type", "array"}, {"items", {{"oneOf", {ref("Submitted"), ref("Error")}}}}}}});
  components["Job"] = job_schema();
  components["JobEvent"] =
      with(job_schema(), {{"at", described(kTime, "When it changed to this, by the factory's clock.")}});
  const Json found = described(type("integer"), "How many there are in all, where that is known.");
  components["JobList"] =
      with(with(list_of("jobs", "Job"), {{"now", described(kTime, "By the factory's clock.")}}),
           {{"found", found}}, false);
  components["Attempt"] = object({{"attempt", type("integer")},
                                  {"place", type("string")},
                                  {"gpu_type", type("string")},
                                  {"gpus", type("number")},
                                  {"cpus", type("number")},
                                  {"decided", kTime},
                                  {"started", kTime},
                                  {"ended_at", kTime},
                                  {"end", type("string")},
                                  {"exit_code", type("integer")},
                                  {"signal", type("integer")},
                                  {"cpu_s", type("number")},
                                  {"memory_peak_bytes", type("integer")},
                                  {"output_bytes", type("integer")},
                                  {"output_lost_bytes", type("integer")},
                                  {"note", type("string")}},
                                 {"gpu_type", "ended_at", "end", "exit_code", "signal", "cpu_s",
                                  "memory_peak_bytes", "output_bytes", "output_lost_bytes", "note"});
  components["JobDetail"] =
      with(with(job_schema(), {{"attempts", {{"type", "array"}, {"items", ref("Attempt")}}}}),
           {{"spec", described(type("object"), "As it was submitted, completed; see `job`.")}}, false);
  components["Explanation"] = object(
      {{"id", type("string")},
       {"status", type("string")},
       {"facts", explanation_facts()},
       {"reason", object({{"name", type("string")}, {"text", type("string")}, {"since", kTime}})},
       {"note", type("string")},
       {"history",
        {{"type", "array"},
         {"items", object({{"since", kTime},
                           {"reason", type("string")},
                           {"for_s", described(type("number"), "How long it bound the job.")}})}}},
       {"forecast", described(ref("Start"), "As it is, from the draws that the changes are tried with.")},
       {"changes", described({{"type", "array"}, {"items", with(change_schema(), {{"start", ref("Start")}})}},
                             "Cancelled and submitted anew like that, it starts sooner; nearest first.")},
       {"tried", described(type("integer"), "Changes that were tried.")}},
      {"facts", "note", "forecast", "changes", "tried"});
  components["Start"] = start_schema();
  components["DryRun"] = dry_run_schema();
  components["WhatIf"] = what_if_schema();
  components["Forecast"] =
      object({{"id", type("string")},
              {"status", type("string")},
              {"p50", or_null("string")},
              {"p90", or_null("string")},
              {"p50_s", or_null("number")},
              {"p90_s", or_null("number")},
              {"members", type("integer")},
              {"members_started", type("integer")},
              {"learned_from", type("integer")},
              {"as_of", kTime},
              {"text", type("string")}},
             {"p50", "p90", "p50_s", "p90_s", "members", "members_started", "learned_from", "as_of"});
  components["Node"] = node_schema();
  components["NodeChanged"] = node_changed_schema();
  components["NodeDetail"] = with(node_schema(), {{"jobs", {{"type", "array"}, {"items", type("string")}}}});
  components["NodeList"] =
      with(with(list_of("nodes", "Node"), {{"total", type("integer")}}), {{"found", found}}, false);
  components["DefragPlan"] = object(
      {{"level", type("string")},
       {"domains", described(type("integer"), "Of the level, with no node lost or closed.")},
       {"free_now", type("integer")},
       {"stuck", described(type("integer"), "With a job that may not be stopped.")},
       {"freed",
        {{"type", "array"},
         {"items", object({{"nodes", {{"type", "array"}, {"items", type("string")}}},
                           {"jobs", {{"type", "array"}, {"items", type("string")}}},
                           {"lost_gpu_s", type("number")}})}}},
       {"moves",
        {{"type", "array"},
         {"items", object({{"job", type("string")},
                           {"lost_gpu_s", type("number")},
                           {"starts_at_once", type("boolean")},
                           {"to", {{"type", "array"}, {"items", type("string")}}}})}}},
       {"lost_gpu_s", type("number")},
       {"verified", described(type("boolean"), "Tried on a copy: they come free together, and a gang fits.")},
       {"as_of", kTime}});
  components["Tenant"] =
      object({{"path", type("string")},
              {"name", type("string")},
              {"weight", type("integer")},
              {"kind", type("string")},
              {"home", type("string")},
              {"ownership", {{"type", "array"}, {"items", type("string")}}},
              {"unix_user", type("string")},
              {"price_plan", type("string")},
              {"limits", object({{"gpus", type("number")}, {"jobs", type("integer")}})},
              {"jobs", type("integer")},
              {"running", type("integer")},
              {"gpus_running", type("number")},
              {"gpus_asked", type("number")},
              {"decayed_gpu_s", described(type("number"), "Use that fair share remembers.")}},
             {"kind", "home", "ownership", "decayed_gpu_s"});
  components["TenantList"] = list_of("tenants", "Tenant", false);
  const Json budget = object({{"gpu_hours", or_null("number")},
                              {"euros", or_null("number")},
                              {"spent_gpu_hours", type("number")},
                              {"spent_euros", type("number")},
                              {"action", type("string")},
                              {"warn_percent", type("integer")},
                              {"state", described(type("string"), "open, warned or spent.")},
                              {"month_ends", kTime},
                              {"spent_at", described(or_null("string"), "At the rate of now.")}});
  const Json amount = described(or_null("number"), "null: without end.");
  components["Quota"] = object(
      {{"path", type("string")},
       {"weight", type("integer")},
       {"deserved", described(type("number"), "Guaranteed, and its share of what can be borrowed now.")},
       {"guaranteed", type("number")},
       {"used", type("number")},
       {"borrowed", type("number")},
       {"lent", type("number")},
       {"owed", type("number")},
       {"past_share", described(type("number"),
                                "What it has used of late of the kind of GPU of which it used most, as a "
                                "part of all that there is: "
                                "usage decays with the policy's half-life. Less goes first.")},
       {"waiting", type("number")},
       {"limit", amount},
       {"borrow", amount},
       {"lend", amount},
       {"budget", {{"oneOf", {budget, type("null")}}}}});
  components["QuotaList"] = object({{"gpu_type", or_null("string")},
                                    {"gpus", type("number")},
                                    {"warnings", {{"type", "array"}, {"items", type("string")}}},
                                    {"tenants", {{"type", "array"}, {"items", ref("Quota")}}}},
                                   {"gpus", "warnings"});
  components["Reservation"] =
      object({{"name", type("string")},
              {"tenant", described(or_null("string"), "Its owner; null: nobody.")},
              {"job", described(or_null("string"), "For which a time is promised.")},
              {"from", described(kTime, "Of the present time, or the next.")},
              {"to", kTime},
              {"every_s", or_null("integer")},
              {"until", or_null("string")},
              {"active", type("boolean")},
              {"preempt", type("boolean")},
              {"nodes", {{"type", "array"}, {"items", type("string")}}},
              {"gpus", type("integer")},
              {"by", type("string")},
              {"note", type("string")},
              {"leaving", described(type("integer"), "Jobs that will be told to go.")}},
             {"leaving"});
  components["ReservationList"] = list_of("reservations", "Reservation", false);
  components["NearestReservation"] =
      object({{"possible", described(type("boolean"), "As it was asked for.")},
              {"reason", described(or_null("string"), "What stands in its way then.")},
              {"from", described(or_null("string"), "The earliest time that is free; null: none is known.")},
              {"to", or_null("string")},
              {"nodes", {{"type", "array"}, {"items", type("string")}}}});
  const Json watts = {{"type", "number"}, {"minimum", 0}};
  const Json cap = object({{"id", type("string")},
                           {"feed", type("string")},
                           {"cap_w", described(watts, "IT power.")},
                           {"from", kTime},
                           {"until", described(or_null("string"), "Null: until it is cleared.")},
                           {"active", described(type("boolean"), "Its time has come.")},
                           {"reason", type("string")},
                           {"by", type("string")},
                           {"made", kTime}});
  components["Feed"] = object(
      {{"feed", described(type("string"), "Its path in the feed tree.")},
       {"level", type("string")},
       {"pue", described(type("number"), "Facility power over IT power, of a site; else 1.")},
       {"rating_w", described(or_null("number"), "IT power that it was built for; null: not limited.")},
       {"cap_w", described(or_null("number"), "IT power that it may carry now; null: not limited.")},
       {"draw_w", described(watts, "Predicted IT power, with `ending_w`.")},
       {"ending_w", described(watts, "Of jobs that were stopped for want of power and have not ended yet.")},
       {"headroom_w", described(or_null("number"), "Cap less draw; below 0 where the cap is not met.")},
       {"nameplate_w", described(watts, "All its nodes at full load.")},
       {"nodes_dark", described(type("integer"), "Nodes where nothing new starts for want of power.")},
       {"jobs_slowed", described(type("integer"), "Jobs there whose clocks are capped.")},
       {"met", described(type("boolean"), "It draws no more than its cap.")},
       {"because",
        described({{"enum", {"idle", "ending"}}},
                  "Why it does: what idles there draws more, or jobs that were stopped have not ended yet.")},
       {"unmet_since", kTime}},
      {"because", "unmet_since"});
  components["Cap"] = cap;
  components["CapList"] = object({{"clocks", described(type("boolean"), "The engine can cap clocks.")},
                                  {"feeds", {{"type", "array"}, {"items", ref("Feed")}}},
                                  {"caps", {{"type", "array"}, {"items", ref("Cap")}}}});
  components["NewCap"] = object({{"cap", ref("Cap")},
                                 {"feed", ref("Feed")},
                                 {"warnings", {{"type", "array"}, {"items", type("string")}}}});
  components["Token"] = token_schema();
  components["TokenList"] = list_of("tokens", "Token", false);
  components["NewToken"] = with(token_schema(), {{"token", described(type("string"), "Shown this once.")}});
  components["Usage"] = object(
      {{"from", kTime},
       {"to", kTime},
       {"lines",
        {{"type", "array"},
         {"items",
          with(with(usage_sums(), {{"gpu_type", type("string")},
                                   {"price_plan", type("string")},
                                   {"open", described(type("boolean"), "Some of it still runs.")}}),
               {{"tenant", type("string")}, {"user", type("string")}, {"job", type("string")}}, false)}}},
       {"total", usage_sums()}});
  components["AuditEntry"] = object({{"sequence", type("integer")},
                                     {"at", kTime},
                                     {"token", type("string")},
                                     {"user", type("string")},
                                     {"role", type("string")},
                                     {"remote", type("string")},
                                     {"action", type("string")},
                                     {"target", type("string")},
                                     {"detail", type("string")},
                                     {"tenant", type("string")}});
  components["AuditList"] = list_of("audit", "AuditEntry");
  components["Decision"] =
      object({{"sequence", described(type("integer"), "From 1, without gaps.")},
              {"at", kTime},
              {"job", described(or_null("integer"), "Of an array, its first task's.")},
              {"tasks", type("integer")},
              {"tenant", type("string")},
              {"outcome", {{"enum", {"admitted", "refused", "reviewed"}}}},
              {"hash", described(type("string"), "SHA-256 of the hash before it and the record.")},
              {"record", described({{"type", "object"}}, "Facts, rules and zones: docs/sovereignty.md.")}});
  components["DecisionList"] = list_of("decisions", "Decision");
  components["Summary"] =
      object({{"now", kTime},
              {"version", type("string")},
              {"engine", type("string")},
              {"fleet", type("string")},
              {"policy", type("string")},
              {"healthy", type("boolean")},
              {"nodes", type("integer")},
              {"nodes_off", type("integer")},
              {"gpus",
               {{"type", "array"},
                {"items", object({{"gpu_type", type("string")},
                                  {"all", type("integer")},
                                  {"used", type("integer")},
                                  {"free", type("integer")},
                                  {"reserved", type("integer")},
                                  {"off", type("integer")}})}}},
              {"cpus", object({{"all", type("number")},
                               {"used", type("number")},
                               {"free", type("number")},
                               {"reserved", type("number")},
                               {"off", type("number")}})},
              {"jobs", object({{"open", type("integer")}, {"running", type("integer")}})},
              {"gpus_running", type("number")},
              {"jobs_by_state", {{"type", "object"}, {"additionalProperties", type("integer")}}},
              {"turns", type("integer")}},
             {"cpus", "jobs_by_state"});
  components["WhoAmI"] = object({{"user", type("string")},
                                 {"role", type("string")},
                                 {"tenant", type("string")},
                                 {"token", type("string")}});
  return components;
}

std::string Api::openapi() const {
  Json document;
  document["openapi"] = "3.1.0";
  document["info"] = {
      {"title", "Gigawerk"},
      {"version", options_.version},
      {"description",
       "The control plane of an AI factory: jobs, nodes, tenants, usage. Every refusal is `Error`."},
      {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}};
  document["servers"] = {{{"url", "/"}}};
  document["security"] = {{{"bearer", Json::array()}}};
  document["paths"] = Json::object();
  for (const RouteInfo& route : routes_) {
    std::vector<std::string> names;
    const std::string path = openapi_path(route.pattern, names);
    Json operation;
    operation["summary"] = route.summary;
    operation["tags"] = {route.tag};
    if (!route.role) {
      operation["security"] = Json::array();
    } else {
      operation["description"] = fmt::format("Needs the role {}{}.", live::name_of(*route.role),
                                             route.everywhere ? " and a token for the whole factory" : "");
    }
    for (const std::string& name : names)
      operation["parameters"].push_back(
          {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
    for (const RouteInfo::Parameter& parameter : route.query)
      operation["parameters"].push_back({{"name", parameter.name},
                                         {"in", "query"},
                                         {"description", parameter.description},
                                         {"schema", Json::parse(parameter.schema)}});
    if (route.request == "job" || route.request == "Batch")
      operation["parameters"].push_back(
          {{"name", "Idempotency-Key"},
           {"in", "header"},
           {"description", "The same key and body again give the first answer again, and submit nothing."},
           {"schema", {{"type", "string"}, {"maxLength", 200}}}});
    if (!route.request.empty())
      operation["requestBody"] = {
          {"required", true}, {"content", {{"application/json", {{"schema", ref(route.request.c_str())}}}}}};
    Json good{{"description", route.summary}};
    Json content;
    if (!route.response.empty()) {
      content["schema"] = ref(route.response.c_str());
    } else {
      content["schema"] = Json::object();
    }
    const std::string media = route.content_type.substr(0, route.content_type.find(';'));
    good["content"][media] = content;
    operation["responses"][fmt::format("{}", route.status)] = good;
    operation["responses"]["default"] = {{"description", "Refused"},
                                         {"content", {{"application/json", {{"schema", ref("Error")}}}}}};
    std::string method = route.method;
    for (char& letter : method) letter = static_cast<char>(letter | 0x20);
    document["paths"][path][method] = operation;
  }
  document["components"]["schemas"] = component_schemas();
  document["components"]["securitySchemes"]["bearer"] = {
      {"type", "http"},
      {"scheme", "bearer"},
      {"description", "A token of `gw token`, or a JWT where OIDC is set up."}};
  return text_of(document);
}

}  // namespace gw::api
