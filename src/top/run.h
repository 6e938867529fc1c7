// gw top as a whole: on a terminal until the user leaves it, or as one frame.
#pragma once

#include <expected>
#include <string>

#include "client/connection.h"
#include "top/model.h"

namespace gw::top {

struct RunOptions {
  client::Settings settings;
  ModelOptions model;
  bool colour = true;
};

/// Shows the factory until the user leaves. The exit code; a Failure where nothing answers at the start.
std::expected<int, client::Failure> run_on_terminal(const RunOptions& options);

/// One frame of that size, as text.
std::expected<std::string, client::Failure> frame_text(const RunOptions& options, std::size_t columns,
                                                       std::size_t rows);
/// What that frame shows, as one JSON document.
std::expected<Json, client::Failure> frame_json(const RunOptions& options, std::size_t columns,
                                                std::size_t rows);

}  // namespace gw::top
