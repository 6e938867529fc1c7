// Finding the server, and its answers.
#include "client/connection.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "client/token_rules.h"
#include "http/url.h"

namespace gw::client {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line) || line.empty()) return std::nullopt;
  return line;
}

std::string home_folder(const char* variable, std::string_view below_home) {
  if (const std::string set = environment(variable); !set.empty()) return set;
  const std::string home = environment("HOME");
  return home.empty() ? std::string() : home + '/' + std::string(below_home);
}

}  // namespace

std::string default_data_folder() {
  // What systemd hands to a service (StateDirectory=gigawerk).
  if (const std::string service = environment("STATE_DIRECTORY"); !service.empty())
    return service.substr(0, service.find(':'));
  const std::string state = home_folder("XDG_STATE_HOME", ".local/state");
  return state.empty() ? std::string("/var/lib/gigawerk") : state + "/gigawerk";
}

std::vector<std::string> data_folders() {
  std::vector<std::string> folders{default_data_folder()};
  if (folders.front() != "/var/lib/gigawerk") folders.emplace_back("/var/lib/gigawerk");
  return folders;
}

namespace {

Result<Json> client_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) return Json::object();
  Json file = Json::parse(std::string(std::istreambuf_iterator<char>(in), {}), nullptr, false);
  if (!file.is_object())
    return fail(fmt::format(
        "{}: not a JSON object; write {{\"server\": \"https://...\", \"token_file\": \"...\"}}", path));
  for (const auto& [key, value] : file.items()) {
    if ((key != "server" && key != "token_file" && key != "ca_file") || !value.is_string())
      return fail(
          fmt::format("{}: \"{}\" is not known, or no text; known: server, token_file, ca_file", path, key));
  }
  return file;
}

Failure no_token(std::string message) {
  return {Failure::Kind::kRefused, 401, "no_token", std::move(message)};
}

}  // namespace

std::expected<Found, Failure> find_server(const Settings& settings) {
  const auto unreachable = [](std::string message) {
    return std::unexpected(Failure{Failure::Kind::kUnreachable, 0, "unreachable", std::move(message)});
  };
  Found found;
  http::ClientOptions& options = found.options;
  const std::string config = home_folder("XDG_CONFIG_HOME", ".config") + "/gigawerk/client.json";
  const Result<Json> file = client_file(config);
  if (!file) return unreachable(file.error().message);
  const auto from_file = [&](const char* key) {
    return file->contains(key) ? file->at(key).get<std::string>() : std::string();
  };
  options.url.clear();
  const std::pair<std::string, std::string> servers[] = {{settings.server, "--server"},
                                                         {environment("GIGAWERK_SERVER"), "GIGAWERK_SERVER"},
                                                         {from_file("server"), config}};
  for (const auto& [url, from] : servers) {
    if (options.url.empty() && !url.empty()) {
      options.url = url;
      found.server_from = from;
    }
  }
  const bool named = found.server_from == "--server" || found.server_from == "GIGAWERK_SERVER";
  // A server on this machine says where it is.
  for (const std::string& folder : data_folders()) {
    if (!options.url.empty()) break;
    if (const std::optional<std::string> url = first_line(folder + "/server.url")) {
      options.url = *url;
      found.server_from = folder + "/server.url";
    }
  }
  if (options.url.empty()) {
    options.url = http::ClientOptions{}.url;
    found.server_from = "the default";
  }
  std::string token_file = settings.token_file;
  found.token_from = "--token-file";
  if (token_file.empty()) {
    options.token = environment("GIGAWERK_TOKEN");
    found.token_from = "GIGAWERK_TOKEN";
  }
  std::string withheld;  // A token that was found, but is for another server.
  const auto find_token = [&](const std::string& path, const std::string& from, const std::string& server) {
    if (!token_file.empty() || !options.token.empty()) return;
    if (same_server(options.url, server)) {
      token_file = path;
      found.token_from = from;
    } else if (withheld.empty()) {
      withheld = fmt::format("; the one in {} goes to {} alone", path,
                             server.empty() ? "the server there, which does not run," : server);
    }
  };
  if (const std::string path = from_file("token_file"); !path.empty())
    find_token(path, config, from_file("server").empty() ? options.url : from_file("server"));
  // Its owner may read its first token.
  for (const std::string& folder : data_folders()) {
    const std::string path = folder + "/admin.token";
    if (access(path.c_str(), R_OK) == 0)
      find_token(path, path, first_line(folder + "/server.url").value_or(""));
  }
  if (!token_file.empty()) {
    const std::optional<std::string> token = first_line(token_file);
    if (!token) return unreachable(fmt::format("{}: cannot read a token from it", token_file));
    options.token = *token;
  }
  const bool is_address =
      http::parse_server_url(options.url).has_value();  // Else the client says what is wrong.
  if (named && is_address && options.token.empty())
    return std::unexpected(
        no_token(fmt::format("no token for {} ({}): set GIGAWERK_TOKEN, or say --token-file FILE{}",
                             options.url, found.server_from, withheld)));
  if (!options.token.empty() && in_the_clear(options.url) && environment("GIGAWERK_INSECURE") != "1")
    return std::unexpected(no_token(fmt::format(
        "{}: over plain http anyone on the way could read the token, so it is not sent; serve https "
        "(gw serve --tls-cert --tls-key) and write https://, or set GIGAWERK_INSECURE=1 where the "
        "network is trusted",
        options.url)));
  if (const std::string text = environment("GIGAWERK_PATIENCE"); !text.empty()) {
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size() || value > 1'000'000)
      return unreachable(
          fmt::format("GIGAWERK_PATIENCE={}: write a whole number of seconds, such as 120", text));
    found.patience = std::chrono::seconds(value);
  }
  options.ca_file = settings.ca_file;
  if (options.ca_file.empty()) options.ca_file = environment("GIGAWERK_CA_FILE");
  if (options.ca_file.empty()) options.ca_file = from_file("ca_file");
  return found;
}

std::expected<std::unique_ptr<Connection>, Failure> Connection::open(const Settings& settings) {
  std::expected<Found, Failure> found = find_server(settings);
  if (!found) return std::unexpected(std::move(found.error()));
  return open(std::move(*found));
}

std::expected<std::unique_ptr<Connection>, Failure> Connection::open(Found found) {
  std::unique_ptr<Connection> connection(new Connection(std::move(found)));
  Result<std::unique_ptr<http::Client>> client = http::Client::make(connection->found_.options);
  if (!client)
    return std::unexpected(Failure{Failure::Kind::kUnreachable, 0, "unreachable", client.error().message});
  connection->client_ = std::move(*client);
  return connection;
}

std::expected<std::unique_ptr<Connection>, Failure> Connection::another(unsigned answer_seconds) const {
  Found found = found_;
  if (answer_seconds > 0) found.options.answer_seconds = answer_seconds;
  return open(std::move(found));
}

Failure Connection::failure_of(const http::Answer& answer) const {
  Failure failure;
  failure.kind = Failure::Kind::kRefused;
  failure.status = answer.status;
  const Json json = Json::parse(answer.body, nullptr, false);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    failure.code = json["error"].value("code", "");
    failure.message = json["error"].value("message", "");
  }
  if (failure.message.empty())
    failure.message =
        fmt::format("{} answered {}; is that a Gigawerk server?", found_.options.url, answer.status);
  if (answer.status == 401)
    failure.message += found_.options.token.empty() ? "; none was found: set GIGAWERK_TOKEN or --token-file"
                                                    : fmt::format(" (it came from {})", found_.token_from);
  return failure;
}

std::expected<Json, Failure> Connection::call(
    std::string_view method, std::string_view target, std::string_view body,
    const std::vector<std::pair<std::string, std::string>>& headers) {
  const Result<http::Answer> answer = client_->send(method, target, body, headers);
  if (!answer)
    return std::unexpected(Failure{Failure::Kind::kUnreachable, 0, "unreachable", answer.error().message});
  if (answer->status < 200 || answer->status > 299) return std::unexpected(failure_of(*answer));
  Json json = Json::parse(answer->body, nullptr, false);
  if (!json.is_object())
    return std::unexpected(
        Failure{Failure::Kind::kUnreachable, answer->status, "bad_answer",
                fmt::format("{} answered something that is no JSON object; is that a Gigawerk server?",
                            found_.options.url)});
  return json;
}

std::expected<Json, Failure> Connection::get(std::string_view target) { return call("GET", target, {}); }

std::expected<Json, Failure> Connection::post(
    std::string_view target, const Json& body,
    const std::vector<std::pair<std::string, std::string>>& headers) {
  return call("POST", target, body.is_null() ? std::string() : body.dump(), headers);
}

std::expected<Json, Failure> Connection::patch(std::string_view target, const Json& body) {
  return call("PATCH", target, body.dump());
}

std::expected<Json, Failure> Connection::remove(std::string_view target) {
  return call("DELETE", target, {});
}

std::expected<http::Answer, Failure> Connection::bytes(std::string_view target) {
  Result<http::Answer> answer = client_->send("GET", target);
  if (!answer)
    return std::unexpected(Failure{Failure::Kind::kUnreachable, 0, "unreachable", answer.error().message});
  if (answer->status != 200) return std::unexpected(failure_of(*answer));
  return std::move(*answer);
}

std::expected<std::string, Failure> Connection::text(std::string_view target) {
  std::expected<http::Answer, Failure> answer = bytes(target);
  if (!answer) return std::unexpected(answer.error());
  return std::move(answer->body);
}

std::optional<Failure> Connection::events(std::string_view target,
                                          const std::function<bool(const http::ServerEvent&)>& event) {
  const Result<http::Answer> answer = client_->events(target, event);
  if (!answer) return Failure{Failure::Kind::kUnreachable, 0, "unreachable", answer.error().message};
  if (answer->status != 200) return failure_of(*answer);
  return std::nullopt;
}

std::optional<Failure> Connection::stream(std::string_view target,
                                          const std::function<bool(std::string_view)>& piece) {
  const Result<http::Answer> answer = client_->stream(target, piece);
  if (!answer) return Failure{Failure::Kind::kUnreachable, 0, "unreachable", answer.error().message};
  if (answer->status != 200) return failure_of(*answer);
  return std::nullopt;
}

std::string escaped(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/');
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string query(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!value.empty()) text += (text.empty() ? '?' : '&') + name + '=' + escaped(value);
  }
  return text;
}

}  // namespace gw::client
