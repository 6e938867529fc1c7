// Jobs as JSON: they are read as job files are, and what is written is read back the same.
#include "spec/job_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "spec/job_check.h"
#include "spec/job_fields.h"
#include "spec/job_spec_file.h"
#include "spec/json_record.h"
#include "spec/random_job.h"
#include "spec/schema_writer.h"

namespace gw::spec {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string told(const std::string& text) {
  const Checked<JobSpec> job = parse_job_json(text);
  return job ? "no error" : diagnostics_text(job.error());
}

TEST(JobJson, IsTheMappingOfAJobFile) {
  const Checked<JobSpec> json = parse_job_json(
      R"({"command": ["python", "a b"], "nodes": 2, "gpus": 8, "cpus": 1.5, "memory": "64 GiB", "hold": true,)"
      R"( "environment": {"B": "2", "A": "1"}, "warning": {"signal": "USR1", "before": "5min"}})");
  ASSERT_TRUE(json.has_value()) << diagnostics_text(json.error());
  const Checked<JobSpec> yaml = parse_job(
      "gigawerk: 1\njob: {command: [python, a b], nodes: 2, gpus: 8, cpus: 1.5, memory: 64 GiB, hold: true, "
      "environment: {A: \"1\", B: \"2\"}, warning: {signal: USR1, before: 5min}}\n",
      "j.yaml");
  ASSERT_TRUE(yaml.has_value()) << diagnostics_text(yaml.error());
  EXPECT_EQ(*json, *yaml);
}

TEST(JobJson, IsCanonical) {
  const Checked<JobSpec> job = parse_job_json(
      R"({"limit": "240min", "cpus": 16.500, "command": ["a", "\u00fc\u0001\"\\/\n"], "requeue": true, "nodes": 1,)"
      R"( "memory": "65536 MiB", "array": "1-9:2,4-4", "begin": "2026-12-01T09:00:00+01:00", "grace": "30s"})");
  ASSERT_TRUE(job.has_value()) << diagnostics_text(job.error());
  EXPECT_EQ(
      job_json(*job),
      "{\"command\":[\"a\",\"ü\\u0001\\\"\\\\/\\n\"],\"cpus\":16.5,\"memory\":\"64 GiB\",\"limit\":\"4h\","
      "\"begin\":\"2026-12-01T08:00:00Z\",\"array\":\"1-9:2,4\"}");
}

TEST(JobJson, EachMistakeIsNamedWithItsPath) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"name": "a"})", "job: \"job\" needs one of: command, script"},
      {R"([])", "job: \"job\" must be a mapping with the keys name, tenant"},
      {R"({"command": ["a"], "gpuss": 1})", "job.gpuss: unknown key \"gpuss\"; did you mean \"gpus\"?"},
      {R"({"command": ["a"], "a b": 1})", "job[\"a b\"]: unknown key \"a b\""},
      {R"({"command": ["a", 3]})", "job.command[1]: \"command\" must be a text; write \"3\" in quotes"},
      {R"({"command": "a"})", "job.command: \"command\" must be a list, not \"a\""},
      {R"({"command": ["a"], "gpus": "8"})",
       "job.gpus: \"gpus\" must be a whole number from 0 to 64, not \"8\""},
      {R"({"command": ["a"], "gpus": 1e1})", "no error"},
      {R"({"command": ["a"], "gpus": 1.5})",
       "job.gpus: \"gpus\" must be a whole number from 0 to 64, not \"1.5\""},
      {R"({"command": ["a"], "priority": 18446744073709551616})",
       "job.priority: \"priority\" must be a whole number"},
      {R"({"command": ["a"], "gpus": null})",
       "job.gpus: \"gpus\" has no value; write one or leave the key out"},
      {R"({"command": ["a"], "hold": "true"})", "job.hold: \"hold\" must be true or false, not \"true\""},
      {R"({"command": ["a"], "limit": 3600})",
       "job.limit: \"limit\" must be an amount with its unit, not \"3600\""},
      {R"({"command": ["a"], "environment": {"A": 8}})",
       "job.environment.A: \"A\" must be a text; write \"8\""},
      {R"({"command": ["a"], "environment": {"1": "x"}})",
       "job.environment[\"1\"]: a name in \"environment\" must be"},
      {R"({"command": ["a"], "warning": {"signal": "USR1", "before": "0s"}})",
       "job.warning.before: \"before\" is out of range: 0s"},
      {R"({"command": ["a"], "limit": "1min", "warning": {"signal": "USR1", "before": "1h"}})",
       "job.warning.before: \"warning.before\" must be shorter than the job's limit"},
      {R"({"command": ["a"], "depends": ["afterok:1", "after"]})",
       "job.depends[1]: \"depends\": \"after\" is no depend"},
      {R"({"command": ["a"], "gpus": 1, "gpus": 2})",
       "job.gpus: key \"gpus\" stands here a second time; keep one"},
      {R"({"command": ["a\u0000"]})", "job.command[0]: \"command\" must be a text without zero bytes"},
      {R"({"command": ["a"],})", "job:1:19: this is not JSON: while parsing object key - unexpected '}'"},
      {"{\"command\":\n  [\"ü\", \"\xff\"]}",
       "job:2:10: this is not JSON: while parsing value - invalid string: ill-form"},
      {R"({"command": ["a"]} x)", "job:1:20: this is not JSON: while parsing value - invalid literal"},
      {R"({"command": ["\ud800"]})",
       "job:1:21: this is not JSON: while parsing value - invalid string: surrogate"},
      {"", "job:1:1: this is not JSON: while parsing value - unexpected end of input"},
      {R"({"command": ["a"], "priority": 1e999})",
       "job:1:36: this is not JSON: number overflow parsing '1e999'"},
  };
  for (const auto& [text, finding] : cases) EXPECT_THAT(told(text), StartsWith(finding)) << text;
}

TEST(JobJson, DeepAndLargeTextsAreRefused) {
  EXPECT_EQ(told(std::string(100'000, '[')), "job: values are nested more than 64 deep");
  std::string many = "[0";
  for (int index = 0; index < 1'000'000; ++index) many += ",0";
  EXPECT_EQ(told(many + "]"), "job: the text holds more than 1000000 values; send less at a time");
  EXPECT_EQ(told(std::string((16 << 20) + 1, ' ')),
            "job: the text has 16777217 bytes; at most 16777216 are read");
  std::string keys = "{\"command\":[\"a\"]";
  for (int index = 0; index < 1000; ++index) keys += ",\"k" + std::to_string(index % 999) + "\":0";
  EXPECT_THAT(told(keys + "}"), HasSubstr("job.k0: key \"k0\" stands here a second time"));
}

RC_GTEST_PROP(JobJson, WhatIsWrittenIsReadBackTheSame, (std::uint64_t seed)) {
  const JobSpec job = RandomJob(seed).draw();
  const std::vector<JobProblem> problems = check_job(job);
  RC_ASSERT(problems.empty());
  const std::string text = job_json(job);
  const Checked<JobSpec> again = parse_job_json(text);
  if (!again) RC_LOG() << text << '\n' << diagnostics_text(again.error());
  RC_ASSERT(again.has_value());
  RC_ASSERT(*again == job);
  RC_ASSERT(job_json(*again) == text);
  RC_ASSERT(nlohmann::json::accept(text));
}

/// The visitor that collects the names of fields.
struct Keys {
  std::vector<std::string> names;
  template <class T>
  void field(std::string_view name, T& /*member*/, const Rule& /*rule*/) {
    names.emplace_back(name);
  }
  void exactly_one(std::initializer_list<std::string_view> /*names*/) {}
  void at_most_one(std::initializer_list<std::string_view> /*names*/) {}
};

TEST(JobJson, EveryKeyOfTheReferenceIsWritten) {
  Keys keys;
  JobRecord record;
  describe(keys, record);
  std::set<std::string> written;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto object = nlohmann::ordered_json::parse(job_json(RandomJob(seed).draw()));
    std::size_t before = 0;
    for (const auto& [key, value] : object.items()) {
      written.insert(key);
      const std::size_t at =
          static_cast<std::size_t>(std::find(keys.names.begin(), keys.names.end(), key) - keys.names.begin());
      EXPECT_GE(at, before) << key << " is not in the order of the reference";
      before = at;
    }
  }
  EXPECT_EQ(written, std::set<std::string>(keys.names.begin(), keys.names.end()));
}

// --- Other records of the API ---

struct TokenRecord {
  static constexpr std::string_view kRecord = "token";
  static constexpr std::string_view kHelp = "A token.";
  std::string user;
  std::vector<std::string> scopes;
  std::optional<std::uint32_t> days;
};

template <class Visitor>
void describe(Visitor& visit, TokenRecord& token) {
  visit.field("user", token.user, {.help = "Whose.", .required = true, .text = Text::kName});
  visit.field("scopes", token.scopes, {.help = "What for.", .items_min = 1});
  visit.field("days", token.days, {.help = "How long.", .min = 1, .max = 365});
}

TEST(JsonRecord, AnyDescribedRecordIsRead) {
  const Checked<TokenRecord> token =
      parse_json<TokenRecord>(R"({"user": "ada", "scopes": ["submit", "read"], "days": 30})", "token");
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(token->user, "ada");
  EXPECT_EQ(token->scopes.size(), 2U);
  EXPECT_EQ(token->days, 30U);
  const Checked<TokenRecord> wrong =
      parse_json<TokenRecord>(R"({"scopes": ["submit", ""], "days": 0})", "token");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(diagnostics_text(wrong.error()),
            "token: \"token\" lacks the key \"user\"\n"
            "token.scopes[1]: \"scopes\" is an empty text; write one or leave the key out\n"
            "token.days: \"days\" must be a whole number from 1 to 365, not \"0\"");
  EXPECT_EQ(wrong.error()[1].path, "scopes[1]");
}

TEST(JsonRecord, TheSchemaOfARecordStandsByItself) {
  EXPECT_EQ(
      json_schema_of<TokenRecord>(),
      R"({"type":"object","description":"A token.","properties":{"user":{"type":"string",)"
      R"("pattern":"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$","description":"Whose."},"scopes":{"type":"array",)"
      R"("items":{"type":"string","minLength":1},"minItems":1,"description":"What for."},"days":)"
      R"({"type":"integer","minimum":1,"maximum":365,"description":"How long."}},"required":["user"],)"
      R"("additionalProperties":false})");
  EXPECT_THAT(json_schema_of<JobRecord>(), HasSubstr(R"("$ref":"#/$defs/warning")"));
  const auto part = nlohmann::json::parse(json_schema_of<JobRecord>("#/components/schemas/job"));
  EXPECT_EQ(part["properties"]["warning"]["$ref"], "#/components/schemas/job/$defs/warning");
  EXPECT_TRUE(part["$defs"].contains("warning"));
  EXPECT_EQ(part["properties"]["name"]["maxLength"], 200);
  EXPECT_THAT(json_schema_of<JobFile>(), HasSubstr(R"("required":["gigawerk","job"])"));
}

}  // namespace
}  // namespace gw::spec
