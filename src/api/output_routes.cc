// What jobs print: as bytes, or as a stream that grows until the job has ended.
#include <fmt/format.h>

#include "api/api.h"
#include "api/log_followers.h"

namespace gw::api {
namespace {
constexpr std::uint64_t kMostBytes = std::uint64_t{8} << 20;
}  // namespace

void Api::output(Call call) {
  if (options_.jobs.empty()) return call.refuse({404, "no_output", "the jobs of this engine print nothing"});
  const std::string word = call.text("stream");
  if (!word.empty() && word != "out" && word != "err")
    return call.refuse({400, "bad_parameter", "\"stream\" must be out or err"});
  const std::optional<std::uint64_t> offset =
      call.number("offset", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!offset) return;
  const std::optional<std::uint64_t> most = call.number("limit", kMostBytes, 1, kMostBytes);
  if (!most) return;
  const std::optional<std::uint64_t> attempt = call.number("attempt", 0, 0, UINT32_MAX);
  if (!attempt) return;
  with_job(std::move(call), [this, word, offset = *offset, most = *most, attempt = *attempt](
                                const Call& each, live::Archive&, const live::JobRecord& job) {
    const auto which = attempt == 0 ? job.attempt : static_cast<std::uint32_t>(attempt);
    if (which > job.attempt)
      return each.refuse(
          {404, "unknown_attempt", fmt::format("job {} has {} attempts", job_id(job), job.attempt)});
    live::OutputPart part;
    part.ended = job.state == live::JobState::kEnded;
    if (which > 0) {
      Result<live::OutputPart> read =
          live::read_output(live::attempt_folder(options_.jobs, {job.number, which}),
                            word == "err" ? live::OutputStream::kError : live::OutputStream::kOutput, offset,
                            most, options_.factory->read([&](const live::Book& book) {
                              return book.identity_of_running({job.number, which});
                            }));
      if (!read) return each.refuse(live::Refusal{500, "output", read.error().message});
      part = std::move(*read);
    }
    http::Response response;
    // Whatever a job prints, a browser must not run it.
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("Gigawerk-Attempt", fmt::format("{}", which));
    response.headers.emplace_back("Gigawerk-Offset", fmt::format("{}", part.offset));
    response.headers.emplace_back("Gigawerk-Next-Offset", fmt::format("{}", part.next));
    response.headers.emplace_back("Gigawerk-First-Offset", fmt::format("{}", part.first));
    response.headers.emplace_back("Gigawerk-End-Offset", fmt::format("{}", part.end));
    response.headers.emplace_back("Gigawerk-Ended", part.ended ? "1" : "0");
    response.body = std::move(part.bytes);
    each.responder->send(std::move(response));
  });
}

void Api::follow(Call call) {
  const std::optional<std::uint64_t> offset =
      call.number("offset", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!offset) return;
  const std::optional<std::uint64_t> attempt = call.number("attempt", 0, 0, UINT32_MAX);
  if (!attempt) return;
  with_job(std::move(call), [this, offset = *offset, attempt = static_cast<std::uint32_t>(*attempt)](
                                const Call& each, live::Archive& archive, const live::JobRecord& job) {
    if (followers_ == nullptr)
      return each.refuse({404, "no_output", "the jobs of this engine print nothing"});
    if (attempt > job.attempt)
      return each.refuse(
          {404, "unknown_attempt", fmt::format("job {} has {} attempts", job_id(job), job.attempt)});
    if (followers_->followers() >= options_.most_watchers)
      return each.refuse({503, "too_many_watchers", "too many clients follow jobs; try again later"});
    http::Response head;
    head.content_type = "text/event-stream";
    head.headers.emplace_back("Cache-Control", "no-store");
    if (followers_->follow(each.responder->stream(std::move(head)), job, attempt, offset, each.actor)) return;
    const Result<std::optional<live::JobRecord>> now = archive.job(job.number);
    if (now && *now && (*now)->state == live::JobState::kEnded) followers_->tell({**now});
  });
}

}  // namespace gw::api
