// What must hold of any job that a reader has accepted.
#pragma once

#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "spec/job_check.h"
#include "spec/job_json.h"

namespace gw::fuzz {

/// It keeps to the rules, and its JSON is read back as the same job.
inline void check_read_job(const JobSpec& job) {
  GW_CHECK(spec::check_job(job).empty());
  const std::string text = spec::job_json(job);
  const spec::Checked<JobSpec> again = spec::parse_job_json(text);
  GW_CHECK(again.has_value());
  GW_CHECK(*again == job);
  GW_CHECK(spec::job_json(*again) == text);
}

/// There is at least one, and all can be sent as JSON.
inline void check_findings(const std::vector<spec::Diagnostic>& findings) {
  GW_CHECK(!findings.empty());
  GW_CHECK(is_utf8(spec::diagnostics_text(findings)));
}

}  // namespace gw::fuzz
