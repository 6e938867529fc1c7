// Rates from the lists of jobs, shapes from their texts.
#include "serve/arrival_history.h"

#include <algorithm>
#include <map>

#include "live/admission.h"
#include "spec/job_json.h"

namespace gw::serve {
namespace {

constexpr Nanoseconds kLookBack = days(7);
constexpr std::uint64_t kMostJobs = 20'000;
constexpr std::uint32_t kPage = 1'000;
constexpr std::size_t kMostOfTenant = 64;
constexpr std::size_t kMostTexts = 1'000;

struct OfTenant {
  std::uint64_t count = 0;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> newest;  ///< Numbers and tasks.
};

}  // namespace

Result<ArrivalHistory> arrival_history(live::Archive& archive, const Fleet& fleet, Instant now) {
  ArrivalHistory history;
  const Instant since = std::max(Instant{}, now - kLookBack);
  Instant oldest = since;
  std::map<TenantId, OfTenant> tenants;
  live::JobFilter filter;
  filter.limit = kPage;
  std::uint64_t jobs = 0, last_array = 0;
  for (bool more = true; more;) {
    const Result<std::vector<live::JobRecord>> page = archive.jobs(filter);
    if (!page) return std::unexpected(page.error());
    for (const live::JobRecord& job : *page) {
      if (job.submitted < since || jobs == kMostJobs) {
        more = false;
        if (jobs == kMostJobs) oldest = job.submitted;
        break;
      }
      ++jobs;
      if (job.array_job != 0 && job.array_job == last_array) continue;  // Its tasks follow each other.
      last_array = job.array_job;
      OfTenant& tenant = tenants[job.tenant];
      ++tenant.count;
      ++history.submissions;
      if (tenant.newest.size() < kMostOfTenant)
        tenant.newest.emplace_back(job.number, std::max(1U, job.array_tasks));
    }
    if (page->size() < kPage) more = false;
    if (!page->empty()) filter.before = page->back().number;
  }
  history.span = std::max(now - oldest, minutes(10));
  std::size_t texts = 0;
  for (const auto& [id, tenant] : tenants) {
    twin::SubmissionModel::OfTenant of;
    of.tenant = id;
    of.per_hour = static_cast<double>(tenant.count) * static_cast<double>(hours(1).count()) /
                  static_cast<double>(history.span.count());
    for (const auto& [number, tasks] : tenant.newest) {
      if (++texts > kMostTexts && !of.submitted.empty()) break;
      const Result<std::optional<live::JobRecord>> job = archive.job(number);
      if (!job) return std::unexpected(job.error());
      if (!*job || (*job)->spec == nullptr) continue;
      const spec::Checked<JobSpec> text = spec::parse_job_json(*(*job)->spec);
      if (!text) continue;
      std::expected<JobRequest, live::Refusal> request = live::request_of(*text, fleet);
      if (!request) continue;  // Of another fleet.
      request->tenant = id;
      of.submitted.push_back({std::move(*request), tasks});
    }
    if (!of.submitted.empty()) history.model.tenants.push_back(std::move(of));
  }
  return history;
}

}  // namespace gw::serve
