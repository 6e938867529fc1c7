// Snapshots, forecasts and the sentences made of them.
#include "serve/forecaster.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "live/time_text.h"
#include "report/text.h"
#include "serve/fork.h"

namespace gw::serve {
namespace {

/// While jobs come and go by the second, a forecast of just now is as good as one of now.
constexpr std::int64_t kFreshNs = 2'000'000'000;
/// A hundred members for one of 10,000 waiting jobs take three quarters of it.
constexpr std::uint64_t kMostEvents = 1'000'000;
/// Unasked: a fifth of a second of one core every so often.
constexpr std::uint64_t kMostSampleEvents = 150'000;
constexpr std::int64_t kSampleEveryNs = 15'000'000'000;
/// Changes that come together are looked at together.
constexpr std::chrono::milliseconds kGather{50};

std::int64_t steady_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string from_now(Instant when, Instant now) {
  return when <= now ? std::string("now") : "in " + report::format_duration(to_seconds(when - now));
}

}  // namespace

void Forecaster::learn(const std::vector<live::Archive::RunFraction>& fractions) {
  const std::lock_guard lock(learning_);
  for (auto at = fractions.rbegin(); at != fractions.rend(); ++at) {
    const Nanoseconds whole = seconds(1'000'000);
    run_times_.observe(
        at->tenant, Nanoseconds{static_cast<std::int64_t>(at->fraction * static_cast<double>(whole.count()))},
        whole);
  }
}

void Forecaster::learn(const live::Changes& changes) {
  const std::lock_guard lock(learning_);
  for (const live::JobRecord& job : changes.changed_jobs) {
    const bool ran_out = job.outcome == live::Outcome::kCompleted || job.outcome == live::Outcome::kFailed ||
                         job.outcome == live::Outcome::kTimeLimit;
    // What a cancelled or lost job would have run is not known.
    if (job.state == live::JobState::kEnded && ran_out && job.limit > Nanoseconds{0})
      run_times_.observe({job.tenant, job.gpu_milli, job.limit},
                         std::max(job.ended - job.started, Nanoseconds{1}));
    if (!job.core.valid()) continue;
    if (job.attempt > 0) {
      calibration_.started(job.core, job.started);
    } else if (job.state == live::JobState::kEnded || job.state == live::JobState::kHeld) {
      calibration_.gone(job.core);
    }
  }
  changed_ = true;
  changes_.notify_one();
}

void Forecaster::start() {
  sampler_ = std::jthread([this](const std::stop_token& stop) { sample(stop); });
}

void Forecaster::stop() {
  if (!sampler_.joinable()) return;
  sampler_.request_stop();
  sampler_.join();
}

JobId Forecaster::take_arrivals() {
  JobId waiting;
  factory_.read([&](const live::Book& book) {
    const std::lock_guard lock(learning_);
    const sched::Core& core = *book.core;
    for (; arrivals_to_ < core.state().next_job; ++arrivals_to_) {
      const sched::Job* job = core.job(JobId{arrivals_to_});
      if (job == nullptr) continue;  // It has come and gone.
      last_arrival_ = std::max(last_arrival_, job->request.submit);
      arrivals_.observe(last_arrival_, job->request);
      if (!job->running) waiting = job->id;
    }
    calibration_.advance(core.now());
  });
  return waiting;
}

void Forecaster::sample(const std::stop_token& stop) {
  std::int64_t last_ns = steady_ns() - kSampleEveryNs;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(learning_);
      if (!changes_.wait(lock, stop, [&] { return changed_; })) return;
      changed_ = false;
    }
    const JobId job = take_arrivals();
    if (job.valid() && steady_ns() - last_ns >= kSampleEveryNs) {
      last_ns = steady_ns();
      const Fork fork = fork_of(factory_, *this);
      twin::ForecastOptions options;
      options.seed = fork.sequence + 1;
      options.most_events = kMostSampleEvents;
      options.threads = 1;
      options.jobs = {job};
      const Result<twin::Forecast> made = twin::forecast_starts(fork.input(), options);
      const twin::StartForecast* raw = made ? made->find(job) : nullptr;
      const bool waits_still = factory_.read([&](const live::Book& book) {
        const sched::Job* now = book.core->job(job);
        return now != nullptr && !now->running;
      });
      if (raw != nullptr && waits_still) {  // Else its start may have been told already.
        const std::lock_guard lock(learning_);
        calibration_.made(*raw, calibration_.corrected(*raw, fork.as_of), fork.as_of);
      }
    }
    std::unique_lock lock(learning_);
    changes_.wait_for(lock, stop, kGather, [] { return false; });
  }
}

bool Forecaster::Kept::tells_of(JobId job) const {
  const twin::StartForecast* start = forecast.find(job);
  return start != nullptr &&
         (!asked.valid() || job == asked || !(start->p50_or_later || start->p90_or_later));
}

std::expected<std::shared_ptr<const Forecaster::Kept>, live::Refusal> Forecaster::forecast_for(JobId job) {
  const std::lock_guard one(making_);
  const std::uint64_t sequence = factory_.read([](const live::Book& book) { return book.journal_sequence; });
  const bool is_fresh =
      kept_ != nullptr && (kept_->sequence == sequence || steady_ns() - kept_->made_ns < kFreshNs);
  if (is_fresh && kept_->tells_of(job)) return kept_;
  auto made = std::make_shared<Kept>();
  const Fork fork = fork_of(factory_, *this);
  made->sequence = fork.sequence;
  made->as_of = fork.as_of;
  if (!is_fresh) made->asked = job;  // Else it is not the only one that is asked about.
  twin::ForecastOptions options;
  options.seed = made->sequence + 1;
  options.most_events = kMostEvents;
  if (made->asked.valid()) options.jobs = {job};
  options.tell_others = true;
  Result<twin::Forecast> forecast = twin::forecast_starts(fork.input(), options);
  if (!forecast) return std::unexpected(live::Refusal{500, "forecast", forecast.error().message});
  made->forecast = std::move(*forecast);
  made->made_ns = steady_ns();
  kept_ = made;
  return kept_;
}

std::expected<Forecaster::Told, live::Refusal> Forecaster::told(JobId job) {
  const std::expected<std::shared_ptr<const Kept>, live::Refusal> kept = forecast_for(job);
  if (!kept) return std::unexpected(kept.error());
  Told told;
  told.as_of = (*kept)->as_of;
  told.members = (*kept)->forecast.members();
  if (const twin::StartForecast* raw = (*kept)->forecast.find(job)) {
    const std::lock_guard lock(learning_);
    told.start = calibration_.corrected(*raw, told.as_of);
    told.learned_from = calibration_.outcomes();
  }
  return told;
}

std::expected<api::Json, live::Refusal> Forecaster::eta(std::uint64_t number) {
  api::Json json;
  JobId core;
  bool shares = false;  // A record with other tasks of its array.
  factory_.read([&](const live::Book& book) {
    const live::LiveJob* job = book.entry(number);
    json["id"] = fmt::format("{}", number);
    if (job != nullptr && job->record.array_job != 0) {
      const std::uint64_t first = job->record.array_job;
      json["id"] = fmt::format("{}_{}", first,
                               book.arrays.at(first).indices.at(static_cast<std::uint32_t>(number - first)));
    }
    if (job == nullptr) {
      json["status"] = "ended";
      json["text"] = "it has ended";
      return;
    }
    json["status"] = live::status_of(job->record.state, job->record.outcome);
    switch (job->record.state) {
      case live::JobState::kRunning:
        json["text"] = fmt::format("it has run since {}", live::time_text(book.unix_ns(job->record.started)));
        break;
      case live::JobState::kHeld:
        json["text"] = "it is held; it starts only after gw release";
        break;
      case live::JobState::kBlocked:
        if (book.in_line(*job)) {  // Its core id is reserved, and forks have it.
          core = JobId{job->record.core.value() + static_cast<std::uint32_t>(number - job->record.number)};
          shares = true;
          break;
        }
        json["text"] = fmt::format("it is not in line yet: {}", api::block_text(job->blocked));
        break;
      default:
        core = job->record.core;
    }
  });
  if (!core.valid()) return json;
  const std::expected<Told, live::Refusal> answer = told(core);
  if (!answer) return std::unexpected(answer.error());
  const std::optional<twin::StartForecast>& start = answer->start;
  if (start) json["learned_from"] = answer->learned_from;
  const Instant now = factory_.now();
  const auto unix_ns = [&](Instant when) {
    return factory_.read([&](const live::Book& book) { return book.unix_ns(when); });
  };
  json["as_of"] = live::time_text(unix_ns(answer->as_of));
  json["members"] = answer->members;
  if (!start && shares) {
    json["text"] = fmt::format(
        "it stands behind more than {} tasks of arrays, which is as far as forecasts look", kMostRestTasks);
    return json;
  }
  if (!start) {
    json["text"] = "it is just about to start, or has started";
    return json;
  }
  json["members_started"] = start->reached;
  const auto put = [&](const char* name, Instant when) {
    const std::string key(name);
    if (when == twin::StartForecast::kNever) {
      json[key] = nullptr;
      json[key + "_s"] = nullptr;
    } else {
      json[key] = live::time_text(unix_ns(std::max(when, now)));
      json[key + "_s"] = std::max(0.0, to_seconds(when - now));
    }
  };
  put("p50", start->p50);
  put("p90", start->p90);
  if (start->p50 == twin::StartForecast::kNever) {
    json["text"] =
        "nothing that is known to come lets it start: nodes must come back or be resumed, or a limit be "
        "raised (gw explain says what binds it)";
  } else {
    const std::string late =
        start->p90 == twin::StartForecast::kNever
            ? std::string("perhaps never as things stand")
            : fmt::format("{}{}", start->p90_or_later ? "later than " : "", from_now(start->p90, now));
    json["text"] = fmt::format("as likely as not it starts {}{}; with 90 % probability {}",
                               start->p50_or_later ? "later than " : "", from_now(start->p50, now), late);
  }
  return json;
}

}  // namespace gw::serve
