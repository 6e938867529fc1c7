// `gw audit list|show|head|verify`: what the rules said of each job, and the proof that none of it was
// changed.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/chain.h"
#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/store_access.h"
#include "cli/text_table.h"
#include "live/archive.h"
#include "live/sql_store.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

/// Where the chain is: a file of `--decisions`, else a factory's store.
struct ChainSource {
  std::string file;
  StoreAccess store;
};

/// Calls take(link) for every link in order until it gives false; gives what the chain is called.
Result<std::string> each_link(const ChainSource& source, const std::function<bool(const audit::Link&)>& take,
                              std::string& broken) {
  if (source.file.empty()) {
    Result<std::unique_ptr<sql::Database>> database = open_store_reader(source.store);
    if (!database) return std::unexpected(database.error());
    std::string name = (*database)->name();
    const Result<void> read =
        live::Archive(std::move(*database)).each_decision([&](const live::DecisionRow& row) {
          // The columns that lists are made by must say what the record says.
          const nlohmann::json json = nlohmann::json::parse(row.record, nullptr, false);
          std::uint64_t number = 0;
          if (json.is_object() && json.contains("job") && json["job"].is_object() &&
              json["job"].contains("number") && json["job"]["number"].is_number_unsigned())
            number = json["job"]["number"].get<std::uint64_t>();
          if (!json.is_object() || json.value("outcome", std::string()) != row.outcome || number != row.job) {
            broken = fmt::format("record {}: its columns (job {}, {}) are not what it says", row.sequence,
                                 row.job, row.outcome);
            return false;
          }
          return take({row.sequence, row.record, row.hash});
        });
    if (!read) return std::unexpected(read.error());
    return name;
  }
  std::ifstream stream(source.file, std::ios::binary);
  if (!stream)
    return fail(fmt::format("{}: cannot open: {}; check the path", source.file, std::strerror(errno)));
  std::string line;
  for (std::uint64_t number = 1; std::getline(stream, line); ++number) {
    const Result<audit::Link> link = audit::parse_chain_line(line);
    if (!link) {
      broken = fmt::format("line {}: {}", number, link.error().message);
      break;
    }
    if (!take(*link)) break;
  }
  if (stream.bad()) return fail(fmt::format("{}: cannot be read to its end; check the disk", source.file));
  return source.file;
}

struct Proof {
  std::string name;
  std::string broken;  ///< Where and how the chain breaks; empty: it holds.
  audit::Head head;
};

Result<Proof> prove(const ChainSource& source, const std::string& anchor_text) {
  std::optional<audit::Head> anchor;
  if (!anchor_text.empty()) {
    Result<audit::Head> parsed = audit::parse_head(anchor_text);
    if (!parsed) return fail(fmt::format("--head {}", parsed.error().message));
    anchor = std::move(*parsed);
  }
  Proof proof;
  audit::ChainVerifier verifier(std::move(anchor));
  Result<std::string> name = each_link(
      source,
      [&](const audit::Link& link) {
        proof.broken = verifier.take(link);
        return proof.broken.empty();
      },
      proof.broken);
  if (!name) return std::unexpected(name.error());
  proof.name = std::move(*name);
  if (proof.broken.empty()) proof.broken = verifier.finish();
  proof.head = verifier.head();
  return proof;
}

Result<ExitCode> verify(const AppContext& context, const ChainSource& source, const std::string& anchor,
                        bool json) {
  const Result<Proof> proof = prove(source, anchor);
  if (!proof) return std::unexpected(proof.error());
  const bool holds = proof->broken.empty();
  if (json) {
    nlohmann::ordered_json out;
    out["verified"] = holds;
    out["records"] = proof->head.sequence;
    out["head"] = audit::head_text(proof->head);
    if (!holds) out["broken"] = proof->broken;
    fmt::print("{}\n", json_out(out));
  } else if (holds) {
    fmt::print("{}: verified: {} decision record{} in one chain{}\nhead {}\n", proof->name,
               proof->head.sequence, proof->head.sequence == 1 ? "" : "s",
               anchor.empty() ? "" : ", the head that was kept among them", audit::head_text(proof->head));
  }
  if (holds) return ExitCode::ok;
  print_error(context, fmt::format("{}: the chain breaks: {} (the {} record{} before it hold{})", proof->name,
                                   proof->broken, proof->head.sequence, proof->head.sequence == 1 ? "" : "s",
                                   proof->head.sequence == 1 ? "s" : ""));
  return ExitCode::failed;
}

Result<ExitCode> head(const AppContext& context, const ChainSource& source, bool json) {
  const Result<Proof> proof = prove(source, "");
  if (!proof) return std::unexpected(proof.error());
  if (!proof->broken.empty()) {  // A head of a broken chain would vouch for what is wrong.
    print_error(context, fmt::format("{}: the chain breaks: {}", proof->name, proof->broken));
    return ExitCode::failed;
  }
  if (json) {
    fmt::print("{}\n",
               json_out({{"records", proof->head.sequence}, {"head", audit::head_text(proof->head)}}));
  } else {
    fmt::print("{}\n", audit::head_text(proof->head));
  }
  return ExitCode::ok;
}

std::string zones_text(const Json& record) {
  std::vector<std::string> open;
  const Json& zones = record.at("zones");
  for (const Json& zone : zones) {
    if (zone.at("open").get<bool>()) open.push_back(zone.value("name", ""));
  }
  if (zones.empty()) return "-";
  return open.size() == zones.size() ? "all" : fmt::format("{} of {}", open.size(), zones.size());
}

/// `rule: german-health-data`: its code, and of a refusal by the law the rules and wishes that close zones.
std::string refusal_text(const Json& record) {
  std::string text = record.value("reason", "");
  if (text != "rule") return text;
  std::vector<std::string> names;
  for (const Json& zone : record.at("zones")) {
    for (const Json& by : zone.at("closed_by")) {
      if (std::string name = by.value("by", ""); std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(std::move(name));
    }
  }
  for (std::size_t index = 0; index < names.size(); ++index)
    text += (index == 0 ? ": " : ", ") + names[index];
  return text;
}

Result<ExitCode> list(const AppContext& context, const std::string& tenant, std::uint64_t limit, bool json,
                      Connection& connection) {
  const std::expected<Json, client::Failure> answer = connection.get(
      "/v1/decisions" + client::query({{"tenant", tenant}, {"limit", fmt::format("{}", limit)}}));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  TextTable table("rlrllll");
  table.add({"NO", "TIME", "JOB", "TENANT", "OUTCOME", "ZONES", "REASON"});
  for (const Json& entry : answer->at("decisions")) {
    const Json& record = entry.at("record");
    table.add({fmt::format("{}", entry.at("sequence").get<std::uint64_t>()), entry.value("at", ""),
               entry.at("job").is_null() ? "-" : fmt::format("{}", entry.at("job").get<std::uint64_t>()),
               entry.value("tenant", ""), entry.value("outcome", ""), zones_text(record),
               refusal_text(record)});
  }
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

void print_decision(const Json& entry) {
  const Json& record = entry.at("record");
  const auto words = [](const Json& list) {
    std::string text;
    for (const Json& word : list) text += (text.empty() ? "" : ", ") + word.get<std::string>();
    return text.empty() ? std::string("-") : text;
  };
  fmt::print("record {}: {} at {}\n", entry.at("sequence").get<std::uint64_t>(), entry.value("outcome", ""),
             record.value("time", ""));
  if (!record.value("message", "").empty()) fmt::print("  {}\n", record.value("message", ""));
  const Json& tenant = record.at("tenant");
  const auto or_unknown = [](const std::string& text) {
    return text.empty() ? std::string("not known") : text;
  };
  fmt::print("  tenant {}: home {}, owners {}, kind {}\n", tenant.value("path", ""),
             or_unknown(tenant.value("home", "")), words(tenant.at("owners")),
             or_unknown(tenant.value("kind", "")));
  const Json& job = record.at("job");
  fmt::print("  job: residency {}, excluded jurisdictions {}, certifications {}, data {}\n",
             words(job.at("residency")), words(job.at("excluded_jurisdictions")),
             words(job.at("certifications")), words(job.at("data")));
  for (const Json& rule : record.at("rules"))
    fmt::print("  rule {} (version {}, since {}): {}\n", rule.value("name", ""), rule.value("version", ""),
               rule.at("since").is_null() ? "ever" : rule.at("since").get<std::string>(),
               rule.value("source", ""));
  for (const Json& zone : record.at("zones")) {
    fmt::print("  zone {}: {}\n", zone.value("name", ""), zone.at("open").get<bool>() ? "open" : "closed");
    for (const Json& by : zone.at("closed_by"))
      fmt::print("    {}: it {}\n", by.value("by", ""), by.value("why", ""));
  }
}

Result<ExitCode> show(const AppContext& context, const std::string& job, bool json, Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/jobs/" + client::escaped(job, false) + "/decision");
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  const Json& decisions = answer->at("decisions");
  if (decisions.empty()) fmt::print("job {} is older than the decision records of this factory\n", job);
  for (const Json& entry : decisions) print_decision(entry);
  return ExitCode::ok;
}

/// One record by its number, or by number and hash as `gw audit head` prints them; of the hash the first
/// digits will do.
Result<ExitCode> show_record(const AppContext& context, const std::string& wanted, bool json,
                             Connection& connection) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
  const std::string_view rest(end, wanted.data() + wanted.size() - end);
  if (error != std::errc() || number == 0 || number == UINT64_MAX ||
      (!rest.empty() && !rest.starts_with(':'))) {
    print_error(context, fmt::format("--record {}: write the NO of gw audit list, or NO:HASH", wanted));
    return ExitCode::usage;
  }
  const std::expected<Json, client::Failure> answer = connection.get(
      "/v1/decisions" + client::query({{"before", fmt::format("{}", number + 1)}, {"limit", "1"}}));
  if (!answer) return report_failure(context, answer.error());
  const Json& decisions = answer->at("decisions");
  if (decisions.empty() || decisions.at(0).at("sequence").get<std::uint64_t>() != number) {
    print_error(context, fmt::format("there is no record {} that you may see; see gw audit list", number));
    return kNotFound;
  }
  const Json& entry = decisions.at(0);
  const std::string hash = entry.value("hash", "");
  if (!rest.empty() && !hash.starts_with(rest.substr(1))) {
    print_error(context, fmt::format("record {} has the hash {}, not {}: it is not the one that was kept",
                                     number, hash, rest.substr(1)));
    return ExitCode::failed;
  }
  if (json) {
    fmt::print("{}\n", json_out(entry));
    return ExitCode::ok;
  }
  print_decision(entry);
  fmt::print("  hash {}\n", hash);
  return ExitCode::ok;
}

}  // namespace

void add_decision_commands(CLI::App& audit, AppContext& context) {
  {
    auto tenant = std::make_shared<std::string>();
    auto limit = std::make_shared<std::uint64_t>(100);
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = audit.add_subcommand("list", "What the rules said of each job, newest first");
    command->add_option("--tenant", *tenant, "Only of this tenant and what is below it")->type_name("PATH");
    command->add_option("-n,--limit", *limit, "At most so many (default: 100)")
        ->check(whole_number(1, 1000))
        ->type_name("N");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, tenant, limit, access](Connection& connection) {
      return list(context, *tenant, *limit, access->json, connection);
    });
  }
  {
    auto job = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command =
        audit.add_subcommand("show", "The facts and rules by which a job was admitted, and where it may be");
    auto record = std::make_shared<std::string>();
    CLI::Option* of_job = command->add_option("JOB", *job, "Its number")->type_name("JOB");
    CLI::Option* of_record =
        command
            ->add_option(
                "--record", *record,
                "In place of a job one record, of a refusal too: its NO of gw audit list, or NO:HASH")
            ->type_name("NO");
    of_job->excludes(of_record);
    add_server_options(*command, *access);
    set_server_action(*command, context, access,
                      [&context, job, record, access](Connection& connection) -> Result<ExitCode> {
                        if (!record->empty()) return show_record(context, *record, access->json, connection);
                        if (job->empty()) {
                          print_error(context, "gw audit show needs a JOB, or --record NO");
                          return ExitCode::usage;
                        }
                        return show(context, *job, access->json, connection);
                      });
  }
  for (const bool proves : {true, false}) {
    auto source = std::make_shared<ChainSource>();
    auto anchor = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    CLI::App* command = audit.add_subcommand(
        proves ? "verify" : "head", proves ? "Prove that no decision record was altered, left out or moved"
                                           : "Print the head of the chain, for somebody else to keep");
    command
        ->add_option(
            "FILE", source->file,
            "Decisions that gw simulate or replay has written (default: those of gw serve, in its store)")
        ->type_name("FILE");
    add_store_options(*command, source->store);
    if (proves)
      command->add_option("--head", *anchor, "A head that was kept: it must be on the chain")
          ->type_name("NUMBER:HASH");
    command->add_flag("--json", *json, "Print JSON");
    command->footer(
        proves ? "That records are missing at the end only a head that was kept elsewhere can tell.\n\n"
                 "Examples:\n"
                 "  gw audit verify --head 1042:6b86b273ff34...\n"
                 "  gw audit verify out/decisions.jsonl"
               : "Whoever keeps it (an auditor, a customer) can prove later that nothing up to it has "
                 "changed:\ngw audit verify --head HEAD");
    set_action(*command, context, [&context, proves, source, anchor, json] {
      return proves ? verify(context, *source, *anchor, *json) : head(context, *source, *json);
    });
  }
}

}  // namespace gw
