// Reading URLs with libpq's own parser, and what it lets through that is a mistake.
#include "sql/postgres_url.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

namespace gw::sql {
namespace {

constexpr const char* kHelp =
    "write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with @ : / ? # % of the password as %40 %3A %2F %3F "
    "%23 "
    "%25";

/// A connection is found dead in about 30 seconds even if the other machine has vanished.
constexpr std::array<std::pair<const char*, const char*>, 9> kDefaults = {{
    {"connect_timeout", "10"},
    {"keepalives", "1"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "4"},
    {"tcp_user_timeout", "30000"},
    {"fallback_application_name", "gigawerk"},
    {"client_encoding", "UTF8"},
    {"target_session_attrs", "read-write"},
}};

std::string value_of(const PostgresTarget& target, std::string_view keyword) {
  for (const auto& [name, value] : target.settings) {
    if (name == keyword) return value;
  }
  return {};
}

}  // namespace

Result<PostgresTarget> read_postgres_url(const std::string& url) {
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://"))
    return fail(fmt::format("not a PostgreSQL URL; {}", kHelp));
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), &problem), &PQconninfoFree);
  if (problem != nullptr) PQfreemem(problem);  // It may quote a piece of the password.
  if (options == nullptr) return fail(fmt::format("the PostgreSQL URL cannot be read; {}", kHelp));

  PostgresTarget target;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) target.settings.emplace_back(option->keyword, option->val);
  }
  const std::string host = value_of(target, "host");
  std::string port = value_of(target, "port");
  const std::string database = value_of(target, "dbname");
  const std::string user = value_of(target, "user");
  // Signs of a password that was cut at a character of its own.
  const bool strange = host.find('@') != std::string::npos || database.find('@') != std::string::npos ||
                       port.find_first_not_of("0123456789,") != std::string::npos;
  if (strange) return fail(fmt::format("the PostgreSQL URL cannot be read; {}", kHelp));
  for (const auto& [keyword, value] : kDefaults) {
    if (value_of(target, keyword).empty()) target.settings.emplace_back(keyword, value);
  }
  if (port.find_first_not_of(',') == std::string::npos) port.clear();  // Of several hosts, none given.
  // A folder of a socket stands in the query of a URL.
  const bool socket = host.starts_with('/');
  target.name = fmt::format("postgres://{}{}{}{}{}/{}{}", user, user.empty() ? "" : "@", socket ? "" : host,
                            port.empty() ? "" : ":", port, database, socket ? "?host=" + host : "");
  return target;
}

}  // namespace gw::sql
