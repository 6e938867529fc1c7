// Any bytes as a job: `j` and JSON, or any other byte and a job file. What is read must keep to the rules and
// survive being written and read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "read_job_check.h"
#include "spec/job_spec_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const gw::spec::Checked<gw::JobSpec> job =
      data[0] == 'j' ? gw::spec::parse_job_json(text) : gw::spec::parse_job(text, "fuzz.yaml");
  if (job) {
    gw::fuzz::check_read_job(*job);
  } else {
    gw::fuzz::check_findings(job.error());
  }
  static_cast<void>(gw::spec::looks_like_job(text));
  return 0;
}
