// Log: what the server tells its operator, a line each: as text on a terminal, as JSON for machines.
#pragma once

#include <cstdio>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace gw::serve {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };

class Log {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

  Log(std::FILE* out, bool json, Level least) : out_(out), json_(json), least_(least) {}
  /// From any thread; each line is written as a whole.
  void write(Level level, std::string_view message, Fields fields = {});
  void info(std::string_view message, Fields fields = {}) { write(Level::kInfo, message, fields); }
  void warn(std::string_view message, Fields fields = {}) { write(Level::kWarning, message, fields); }
  void error(std::string_view message, Fields fields = {}) { write(Level::kError, message, fields); }

 private:
  std::FILE* out_;
  bool json_;
  Level least_;
  std::mutex mutex_;
};

}  // namespace gw::serve
