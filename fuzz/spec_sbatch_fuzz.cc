// Any bytes as a batch script; behind a zero byte, as the words of its command line. What is read must keep
// to the rules and survive being written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "read_job_check.h"
#include "spec/sbatch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&rest] {
    const std::string part(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
  };
  const std::string script = next();
  std::vector<std::string> words;
  while (!rest.empty()) words.push_back(next());

  const gw::spec::SbatchContext context{"/home/ada", 1796108400};
  const gw::spec::Checked<gw::spec::SbatchJob> job =
      gw::spec::parse_sbatch(script, "fuzz.sbatch", words, context);
  if (job) {
    gw::fuzz::check_read_job(job->job);
    if (!job->unsupported.empty()) gw::fuzz::check_findings(job->unsupported);
    if (!job->warnings.empty()) gw::fuzz::check_findings(job->warnings);
  } else {
    gw::fuzz::check_findings(job.error());
  }
  const gw::spec::Checked<gw::spec::SbatchCommandLine> line = gw::spec::split_sbatch_command_line(words);
  if (line) {
    // Every word is in one of the parts, but for a `--` between options and script.
    const std::size_t parts = line->options.size() + (line->script.empty() ? 0 : 1) + line->arguments.size();
    GW_CHECK(parts <= words.size() && words.size() <= parts + 2);
  }
  static_cast<void>(gw::spec::looks_like_sbatch(script));
  return 0;
}
