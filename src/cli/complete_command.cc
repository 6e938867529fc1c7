// `gw __complete KIND LINE`: what the server has that a shell may offer. The completion scripts call it; it
// is no command for people.
#include <fmt/format.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/server_access.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

constexpr long kPatienceMs = 300;

/// Whoever presses Tab does not wait for a server that is away: what has not come by now is not offered.
/// GIGAWERK_COMPLETION_MS is for those whose server is far.
void end_in_time() {
  struct sigaction action{};
  action.sa_handler = [](int) { _exit(0); };
  sigaction(SIGALRM, &action, nullptr);
  const char* wish = std::getenv("GIGAWERK_COMPLETION_MS");
  const long wished = wish == nullptr ? 0 : std::strtol(wish, nullptr, 10);
  const long patience = wished > 0 && wished <= 60'000 ? wished : kPatienceMs;
  const itimerval timer{{0, 0}, {patience / 1000, patience % 1000 * 1000}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

/// Where the line that is being typed says that the server is.
client::Settings settings_of(const std::string& line) {
  client::Settings settings;
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t from = line.find_first_not_of(' ', at);
    if (from == std::string::npos) break;
    at = std::min(line.find(' ', from), line.size());
    words.push_back(line.substr(from, at - from));
  }
  const std::pair<std::string, std::string*> options[] = {{"--server", &settings.server},
                                                          {"--token-file", &settings.token_file},
                                                          {"--ca-file", &settings.ca_file}};
  for (std::size_t index = 0; index + 1 < words.size(); ++index) {  // The last word is not whole yet.
    for (const auto& [name, value] : options) {
      if (words[index] == name) *value = words[index + 1];
      if (words[index].starts_with(name + "=")) *value = words[index].substr(name.size() + 1);
    }
  }
  return settings;
}

/// A word that no shell takes for anything but itself; others are not offered.
bool is_plain(const std::string& word) {
  return !word.empty() && word.front() != '-' && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '@' || c == '/' || c == '+' || c == ',' || c == '=';
  });
}

std::string text_of(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
}

void offer(const std::string& word, const std::string& description) {
  if (is_plain(word)) fmt::print("{}\t{}\n", word, report::printable_name(description));
}

void offer_jobs(Connection& connection, bool open) {
  const auto answer = connection.get(std::string("/v1/jobs?limit=200") + (open ? "&status=open" : ""));
  if (!answer || !answer->contains("jobs")) return;
  std::vector<std::string> arrays;
  for (const Json& job : (*answer)["jobs"]) {
    // An array is called by its number too.
    const std::string id = text_of(job, "id"), array = id.substr(0, id.find('_'));
    if (array != id && std::find(arrays.begin(), arrays.end(), array) == arrays.end()) {
      arrays.push_back(array);
      offer(array, text_of(job, "name") + ", the whole array");
    }
    offer(id, fmt::format("{} ({}, {})", text_of(job, "name"), text_of(job, "status"), text_of(job, "user")));
  }
}

void offer_nodes(Connection& connection, bool (*wanted)(const std::string& state)) {
  const auto answer = connection.get("/v1/nodes?limit=10000");
  if (!answer || !answer->contains("nodes")) return;
  for (const Json& node : (*answer)["nodes"]) {
    const std::string state = text_of(node, "state");
    if (wanted(state)) offer(text_of(node, "name"), state);
  }
}

void offer_tenants(Connection& connection) {
  const auto answer = connection.get("/v1/tenants");
  if (!answer || !answer->contains("tenants")) return;
  for (const Json& tenant : (*answer)["tenants"]) offer(text_of(tenant, "path"), text_of(tenant, "kind"));
}

void offer_tokens(Connection& connection) {
  const auto answer = connection.get("/v1/tokens");
  if (!answer || !answer->contains("tokens")) return;
  for (const Json& token : (*answer)["tokens"]) {
    if (token.contains("revoked") && token["revoked"] == true) continue;
    const std::string label = text_of(token, "label");
    offer(text_of(token, "id"), fmt::format("{}, {}{}{}", text_of(token, "user"), text_of(token, "role"),
                                            label.empty() ? "" : ": ", label));
  }
}

}  // namespace

void add_complete_command(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("__complete", "Print what a shell may offer");
  command->group("");  // Not shown.
  auto kind = std::make_shared<std::string>();
  auto line = std::make_shared<std::string>();
  command->add_option("KIND", *kind, "What is wanted")
      ->required()
      ->check(CLI::IsMember({"jobs", "open-jobs", "nodes", "nodes-on", "nodes-off", "tenants", "tokens"}));
  command->add_option("LINE", *line, "What has been typed");
  set_action(*command, context, [kind, line]() -> Result<ExitCode> {
    end_in_time();
    const auto connection = Connection::open(settings_of(*line));
    if (!connection) return ExitCode::ok;  // Silence: the user is typing.
    Connection& server = **connection;
    if (*kind == "jobs" || *kind == "open-jobs") offer_jobs(server, *kind == "open-jobs");
    if (*kind == "nodes") offer_nodes(server, [](const std::string&) { return true; });
    if (*kind == "nodes-on")
      offer_nodes(server, [](const std::string& state) { return state == "up" || state == "down"; });
    if (*kind == "nodes-off") offer_nodes(server, [](const std::string& state) { return state != "up"; });
    if (*kind == "tenants") offer_tenants(server);
    if (*kind == "tokens") offer_tokens(server);
    return ExitCode::ok;
  });
}

}  // namespace gw
