// PostgresTarget: what a `postgres://` URL says, with a name for messages that never shows its password.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gw::sql {

struct PostgresTarget {
  /// Keywords and values for libpq, the URL's and our defaults for what it leaves open.
  std::vector<std::pair<std::string, std::string>> settings;
  std::string name;  ///< `postgres://user@host:port/database`
};

/// The Error repeats nothing of the URL: any part of one that cannot be read may be the password.
Result<PostgresTarget> read_postgres_url(const std::string& url);

}  // namespace gw::sql
