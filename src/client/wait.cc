// Events tell when to look, and what they say is believed; what was there before them is asked for.
#include "client/wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "client/patience.h"
#include "http/sse.h"

namespace gw::client {
namespace {

constexpr std::size_t kMostEventBytes = std::size_t{16} << 20;
/// A stream that has lasted so long was a good one.
constexpr std::chrono::seconds kStood{5};

class Wait {
 public:
  Wait(Connection& connection, const Json& job, bool whole_array,
       const std::function<void(const Json&)>& ended, const std::function<bool(Connection*)>& streaming)
      : connection_(connection),
        ended_(ended),
        streaming_(streaming),
        first_(job.at("number")),
        next_(first_),
        array_(whole_array) {
    count_ = array_ ? job.at("array").at("tasks").get<std::uint64_t>() : 1;
    if (!array_) take(job);
  }

  std::optional<Failure> run() {
    Patience patience(connection_.patience());
    while (!done()) {
      const auto began = std::chrono::steady_clock::now();
      const std::optional<Failure> failure = watch();
      if (done()) break;
      if (std::chrono::steady_clock::now() - began >= kStood) patience.restore();
      if (failure && !failure->may_pass()) return failure;
      if (!patience.wait())
        return failure ? failure
                       : Failure{Failure::Kind::kUnreachable, 0, "unreachable",
                                 connection_.server() + " ends every stream of events at once"};
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool done() const { return next_ >= first_ + count_; }

  /// Of a large array several tasks may have ended as one.
  static std::uint64_t tasks_of(const Json& job) {
    if (!job.contains("array") || !job.at("array").contains("rest")) return 1;
    return std::max<std::uint64_t>(1, job.at("array").at("rest").value("tasks", std::uint64_t{1}));
  }

  /// Takes in what is known of a job; an end is final, so old news does no harm.
  void take(const Json& job) {
    if (!job.is_object() || !job.value("ended", false)) return;
    const std::uint64_t number = job.value("number", std::uint64_t{0});
    const std::uint64_t end = std::min(number + tasks_of(job), first_ + count_);
    if (end <= next_ || number >= first_ + count_) return;
    waiting_.emplace(std::max(number, next_), std::pair{end, job});
    for (auto at = waiting_.begin(); at != waiting_.end() && at->first <= next_; at = waiting_.erase(at)) {
      if (at->second.first <= next_) continue;
      ended_(at->second.second);
      next_ = at->second.first;
    }
  }

  /// Asks how things stand.
  std::optional<Failure> look() {
    if (!array_) {
      const std::expected<Json, Failure> job = connection_.get(fmt::format("/v1/jobs/{}", first_));
      if (!job) return job.error();
      take(*job);
      return std::nullopt;
    }
    std::string before;
    do {
      const std::expected<Json, Failure> page = connection_.get(
          "/v1/jobs" + query({{"array", fmt::format("{}", first_)}, {"limit", "1000"}, {"before", before}}));
      if (!page) return page.error();
      for (const Json& job : page->at("jobs")) take(job);
      before = page->at("next").is_string() ? page->at("next").get<std::string>() : "";
    } while (!before.empty());
    return std::nullopt;
  }

  /// Watches over one stream until all has ended or the stream breaks.
  std::optional<Failure> watch() {
    // The stream has a connection of its own, as this one asks meanwhile.
    std::expected<std::unique_ptr<Connection>, Failure> stream = connection_.another();
    if (!stream) return stream.error();
    http::EventParser parser(kMostEventBytes);
    std::optional<Failure> lost;
    int looks = 0;
    const Failure interrupted{Failure::Kind::kRefused, 0, "interrupted", "interrupted"};
    if (streaming_ && !streaming_(stream->get())) return interrupted;
    const std::optional<Failure> broken =
        (*stream)->stream(fmt::format("/v1/watch?job={}", first_), [&](std::string_view bytes) {
          bool news = false, reset = false;
          const Result<bool> parsed = parser.feed(bytes, [&](const http::ServerEvent& event) {
            news = true;
            if (event.event == "reset") reset = true;
            take(Json::parse(event.data, nullptr, false));
            return true;
          });
          // The first bytes may come a moment before the server counts this stream among those it tells;
          // the comments that keep it alive go to those only. So a look at each misses nothing. A large
          // array takes many pages: two such comments will do.
          if (!done() && (looks == 0 || reset || (!news && (!array_ || looks < 3)))) {
            ++looks;
            lost = look();
          }
          return parsed.has_value() && !lost && !done();
        });
    if (streaming_ && !streaming_(nullptr)) return interrupted;
    return lost ? lost : broken;
  }

  Connection& connection_;
  const std::function<void(const Json&)>& ended_;
  const std::function<bool(Connection*)>& streaming_;
  const std::uint64_t first_;
  std::uint64_t next_;  ///< The lowest number whose end is not told yet.
  std::uint64_t count_ = 1;
  const bool array_;
  /// Ended before others of lower numbers: by number, up to which number, and how.
  std::map<std::uint64_t, std::pair<std::uint64_t, Json>> waiting_;
};

}  // namespace

std::optional<Failure> wait_for_end(Connection& connection, std::string_view id,
                                    const std::function<void(const Json&)>& ended,
                                    const std::function<bool(Connection*)>& streaming) {
  const std::expected<Json, Failure> job = connection.get("/v1/jobs/" + escaped(id));
  if (!job) return job.error();
  // `12` is array 12, though also the number of its first task; `12_0` and the number of any other task are
  // that task.
  const bool whole_array = job->contains("array") && id.find('_') == std::string_view::npos &&
                           job->at("array").at("job") == job->at("number");
  return Wait(connection, *job, whole_array, ended, streaming).run();
}

}  // namespace gw::client
