// Lines of the log.
#include "serve/log.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "live/time_text.h"
#include "report/text.h"

namespace gw::serve {
namespace {

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};

}  // namespace

void Log::write(Level level, std::string_view message, Fields fields) {
  if (level < least_) return;
  const std::string time =
      live::time_text(std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  std::string line;
  if (json_) {
    nlohmann::ordered_json json;
    json["time"] = time;
    json["level"] = name;
    json["message"] = message;
    for (const auto& [key, value] : fields) json[std::string(key)] = value;
    line = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  } else {
    line = time + ' ' + std::string(name) + ": " + report::printable(message);
    for (const auto& [key, value] : fields) line += ' ' + std::string(key) + '=' + report::printable(value);
  }
  line += '\n';
  const std::lock_guard lock(mutex_);
  std::fwrite(line.data(), 1, line.size(), out_);
  std::fflush(out_);
}

}  // namespace gw::serve
