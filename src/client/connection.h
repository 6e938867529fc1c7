// Connection: a live factory as the command line sees it: found, asked, its refusals turned into errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/client.h"

namespace gw::client {

using Json = nlohmann::ordered_json;

/// What the user says about the server; what is empty is looked for.
struct Settings {
  std::string server;      ///< URL. Else GIGAWERK_SERVER, the client file, the server of this machine.
  std::string token_file;  ///< Else GIGAWERK_TOKEN, the client file, the token of this machine's server.
  std::string ca_file;     ///< Else GIGAWERK_CA_FILE, the client file, the system's.
};

/// Where a connection's settings came from, for messages.
struct Found {
  http::ClientOptions options;
  std::string server_from;
  std::string token_from;
  std::chrono::seconds patience{120};  ///< See Connection::patience; GIGAWERK_PATIENCE sets it.
};

/// Why a call gave nothing.
struct Failure {
  enum class Kind { kUnreachable, kRefused };
  Kind kind = Kind::kUnreachable;
  unsigned status = 0;
  std::string code;
  std::string message;  ///< Complete, for people.
  /// Whether the same call may work in a moment: no server answers, or it says that it cannot work now.
  [[nodiscard]] bool may_pass() const { return kind == Kind::kUnreachable || status == 503; }
};

/// `$XDG_CONFIG_HOME/gigawerk/client.json` ({"server", "token_file", "ca_file"}), then the folders of a
/// server on this machine: see data_folders.
///
/// A token that was only found goes to the server that it was found with: the admin's in such a folder to
/// the URL in the folder's `server.url`, the client file's to the client file's server. Where a server was
/// named and no token is for it, and where a token would cross the network in the clear (plain http to
/// another machine, without GIGAWERK_INSECURE=1), that is a Failure that says what to do.
std::expected<Found, Failure> find_server(const Settings& settings);

/// Where gw serve keeps its data: as a service, and for this user.
std::vector<std::string> data_folders();
/// The one that gw serve takes without --data.
std::string default_data_folder();

class Connection {
 public:
  static std::expected<std::unique_ptr<Connection>, Failure> open(const Settings& settings);
  /// A second connection to the same server, for calls while this one waits in a stream. `answer_seconds`:
  /// how long its calls wait for an answer, 0 being as this one's.
  [[nodiscard]] std::expected<std::unique_ptr<Connection>, Failure> another(
      unsigned answer_seconds = 0) const;

  std::expected<Json, Failure> get(std::string_view target);
  std::expected<Json, Failure> post(std::string_view target, const Json& body,
                                    const std::vector<std::pair<std::string, std::string>>& headers = {});
  std::expected<Json, Failure> patch(std::string_view target, const Json& body);
  std::expected<Json, Failure> remove(std::string_view target);
  std::expected<std::string, Failure> text(std::string_view target);
  std::expected<http::Answer, Failure> bytes(std::string_view target);
  /// Calls `event` for each event of a stream until it gives false or the stream ends.
  std::optional<Failure> events(std::string_view target,
                                const std::function<bool(const http::ServerEvent&)>& event);
  /// The bytes of a stream of events as they come, comments too, until `piece` gives false or the end.
  std::optional<Failure> stream(std::string_view target, const std::function<bool(std::string_view)>& piece);
  /// Makes a waiting call end with a failure; from a signal handler too.
  void interrupt() { client_->interrupt(); }
  [[nodiscard]] const std::string& server() const { return found_.options.url; }
  /// How long a command that follows a job looks for a server that went away, perhaps for a restart.
  [[nodiscard]] std::chrono::seconds patience() const { return found_.patience; }

 private:
  static std::expected<std::unique_ptr<Connection>, Failure> open(Found found);
  explicit Connection(Found found) : found_(std::move(found)) {}
  std::expected<Json, Failure> call(std::string_view method, std::string_view target, std::string_view body,
                                    const std::vector<std::pair<std::string, std::string>>& headers = {});
  [[nodiscard]] Failure failure_of(const http::Answer& answer) const;

  Found found_;
  std::unique_ptr<http::Client> client_;
};

/// A text as part of a path or query: everything but letters, digits and `-_.~` as %XX; `/` too unless
/// `keep_slash`.
std::string escaped(std::string_view text, bool keep_slash = false);
/// `?a=1&b=2` of the pairs whose value is not empty.
std::string query(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace gw::client
