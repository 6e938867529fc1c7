// The page of gw whatif --html: one file that opens without a network.
#pragma once

#include <string>
#include <vector>

#include "client/connection.h"

namespace gw {

/// `answer` is the server's, of POST /v1/whatif.
std::string what_if_page(const client::Json& answer);

/// The figures of an answer as people read them, in the order of the docs; those that are nothing in both
/// worlds are left out.
struct WhatIfRow {
  std::string name, base, changed, difference, interval;
};
std::vector<WhatIfRow> what_if_rows(const client::Json& answer);

/// What `>=` before figures of the rows means; empty where there are none: the horizon has cut nothing.
std::string cut_text(const client::Json& answer);

/// `12 [train] of org/project: in 2 h instead of 5 h`.
std::string shift_text(const client::Json& shift, double horizon_s);

}  // namespace gw
