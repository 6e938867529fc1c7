// Client: a blocking HTTP/1.1 client for the command line: one server, one connection that is kept.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/sse.h"

namespace gw::http {

struct ClientOptions {
  /// `http://host[:port][/prefix]`, `https://...`, or `unix:/path` of a socket file.
  std::string url = "http://127.0.0.1:7411";
  std::string token;    ///< Sent as `Authorization: Bearer`; empty: none.
  std::string ca_file;  ///< PEM; empty: the system's.
  unsigned connect_seconds = 5;
  unsigned answer_seconds = 60;                      ///< For a whole answer; for streams between two pieces.
  std::size_t answer_bytes = std::size_t{64} << 20;  ///< More is an Error; for streams: of one event.
};

struct Answer {
  unsigned status = 0;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names in lower case.
  std::string body;
};

class Client {
 public:
  static Result<std::unique_ptr<Client>> make(const ClientOptions& options);
  virtual ~Client() = default;

  /// Sends and waits. A connection that the server has closed meanwhile is opened again, once, where nothing
  /// was sent yet. The Error says which server did not answer and what to check.
  virtual Result<Answer> send(std::string_view method, std::string_view target, std::string_view body = {},
                              const std::vector<std::pair<std::string, std::string>>& headers = {}) = 0;
  /// GETs `target` and calls `piece` with the bytes of the body as they come, until it gives false or the
  /// end. An answer that is not 200 comes back whole, without calls.
  virtual Result<Answer> stream(std::string_view target,
                                const std::function<bool(std::string_view)>& piece) = 0;
  /// The same for server-sent events; comments (keep-alives) are skipped.
  virtual Result<Answer> events(std::string_view target,
                                const std::function<bool(const ServerEvent&)>& event) = 0;
  /// Makes the call that waits, or else the next one, end soon with an Error. May be called from another
  /// thread or a signal handler.
  virtual void interrupt() = 0;
};

}  // namespace gw::http
