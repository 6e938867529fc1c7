// Reads a batch script and the options of its command line.
#include "spec/sbatch.h"

#include <fmt/format.h>

#include <utility>

#include "base/utf8.h"
#include "spec/job_check.h"
#include "spec/sbatch_builder.h"
#include "spec/sbatch_commands.h"
#include "spec/sbatch_law.h"
#include "spec/sbatch_options.h"
#include "spec/sbatch_words.h"

namespace gw::spec {

namespace {

/// The text with Unix line ends; a warning says so where it had others.
std::string unix_lines(std::string_view text, SbatchFindings& findings) {
  std::string lines(text);
  if (lines.find("\r\n") == std::string_view::npos) return lines;
  std::size_t to = 0;
  for (std::size_t from = 0; from < lines.size(); ++from) {
    if (lines[from] == '\r' && from + 1 < lines.size() && lines[from + 1] == '\n') continue;
    lines[to++] = lines[from];
  }
  lines.resize(to);
  findings.warning({false, {1, 1}},
                   "the script has Windows line ends, which Slurm refuses; they are read as Unix ones");
  return lines;
}

/// The number of the first line that is not UTF-8.
std::uint32_t line_without_utf8(std::string_view text) {
  std::uint32_t line = 1;
  for (;;) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !is_utf8(text.substr(0, end))) return line;
    text.remove_prefix(end + 1);
    ++line;
  }
}

/// Whether a script can be read at all; reports why not.
bool check_text(std::string_view text, SbatchFindings& findings) {
  const auto problem = [&findings](Mark at, std::string message) {
    findings.error({false, at}, std::move(message));
    return false;
  };
  if (text.empty()) return problem({}, "the script is empty");
  if (text.size() > job_limits::kScriptBytes)
    return problem({}, fmt::format("the script has {} bytes; at most {} are allowed", text.size(),
                                   job_limits::kScriptBytes));
  if (text.find('\0') != std::string_view::npos)
    return problem({}, "the script holds zero bytes: it is not a text");
  if (!is_utf8(text))
    return problem({line_without_utf8(text), 1},
                   "this line is not UTF-8; convert the script, for example with `iconv -f latin1 -t utf-8`");
  if (text.starts_with("\xef\xbb\xbf"))
    return problem(
        {1, 1},
        "the script begins with a byte order mark, with which Linux does not start it; save it without");
  if (!text.starts_with("#!"))
    return problem({1, 1}, "the first line must be `#!` and an interpreter, for example `#!/bin/bash`");
  return true;
}

void read_script(std::string_view text, SbatchBuilder& builder, SbatchFindings& findings) {
  for (const std::vector<SbatchWord>& words : sbatch_lines(text, findings)) {
    std::vector<SbatchUse> uses;
    if (!words.empty() && (words.front().text == "hetjob" || words.front().text == "packjob")) {
      findings.error({false, words.front().at},
                     "jobs of several different parts (hetjob) are not supported; submit each part as a job");
      continue;
    }
    const std::size_t read = read_sbatch_options(words, false, uses, findings);
    if (read < words.size())
      findings.error(
          {false, words[read].at},
          fmt::format("\"{}\" is no option; a value with blanks stands in quotes", shown(words[read].text)));
    for (const SbatchUse& use : uses) builder.apply(use);
  }
}

std::vector<SbatchWord> command_line_words(const std::vector<std::string>& texts) {
  std::vector<SbatchWord> words;
  words.reserve(texts.size());
  for (const std::string& text : texts) words.push_back({text, {}});
  return words;
}

void read_command_line(const std::vector<std::string>& options, SbatchBuilder& builder,
                       SbatchFindings& findings) {
  const std::vector<SbatchWord> words = command_line_words(options);
  std::vector<SbatchUse> uses;
  const std::size_t read = read_sbatch_options(words, true, uses, findings);
  if (read < words.size())
    findings.error({true, {}}, fmt::format("\"{}\" is no option", shown(words[read].text)));
  for (const SbatchUse& use : uses) {
    if (!is_utf8(use.value)) {
      findings.error(use.place, fmt::format("the value of --{} is not UTF-8", use.option->name));
    } else {
      builder.apply(use);
    }
  }
}

/// As sbatch names a job that has no name.
std::string name_after(const std::string& file) {
  if (file.empty() || file == "-" || file == "/dev/stdin") return "sbatch";
  return file.substr(file.rfind('/') + 1);  // From 0 where there is none.
}

}  // namespace

Checked<SbatchJob> parse_sbatch(std::string_view text, const std::string& file,
                                const std::vector<std::string>& command_line_options,
                                const SbatchContext& context) {
  SbatchFindings findings(file);
  SbatchJob result;
  result.job.launch = LaunchKind::kFirstNode;
  result.job.working_folder = context.working_folder;
  SbatchBuilder builder(result, context, findings);

  // --wrap decides whether there is a script at all, but the script's options come first.
  SbatchFindings ignored("");
  std::vector<SbatchUse> uses;
  read_sbatch_options(command_line_words(command_line_options), true, uses, ignored);
  const SbatchUse* wrap = nullptr;
  for (const SbatchUse& use : uses) {
    if (use.option->id == SbatchId::kWrap) wrap = &use;
  }
  if (wrap != nullptr) {
    if (!text.empty())
      findings.error({true, {}}, "--wrap takes the place of a script; leave one of them out");
    result.job.script =
        fmt::format("#!/bin/sh\n# This script was created by sbatch --wrap.\n\n{}\n", wrap->value);
  } else {
    result.job.script = unix_lines(text, findings);
    if (!check_text(result.job.script, findings)) return std::unexpected(findings.take_errors());
    read_script(result.job.script, builder, findings);
    read_gigawerk_lines(result.job.script, result.job.law, findings);
    warn_of_slurm_commands(result.job.script, findings);
  }
  read_command_line(command_line_options, builder, findings);
  if (wrap == nullptr && !builder.ignores_pbs() && has_pbs_lines(text))
    findings.warning({}, "`#PBS` lines are not read; write `#SBATCH`");
  if (result.job.name.empty()) result.job.name = wrap != nullptr ? "wrap" : name_after(file);
  builder.finish();
  if (findings.errors() > 0) {
    std::vector<Diagnostic> all = findings.take_errors();
    for (Diagnostic& finding : findings.take_unsupported()) all.push_back(std::move(finding));
    return std::unexpected(std::move(all));
  }
  result.unsupported = findings.take_unsupported();
  result.warnings = findings.take_warnings();
  return result;
}

Checked<SbatchCommandLine> split_sbatch_command_line(const std::vector<std::string>& words) {
  SbatchFindings findings("command line");
  std::vector<SbatchUse> uses;
  const std::size_t read = read_sbatch_options(command_line_words(words), true, uses, findings);
  if (findings.errors() > 0) return std::unexpected(findings.take_errors());
  SbatchCommandLine line;
  line.options.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(read));
  if (!line.options.empty() && line.options.back() == "--" && (uses.empty() || uses.back().value != "--"))
    line.options.pop_back();
  bool wrap = false;
  for (const SbatchUse& use : uses) wrap = wrap || use.option->id == SbatchId::kWrap;
  std::size_t next = read;
  if (next < words.size()) {
    if (wrap) {
      findings.error({true, {}},
                     fmt::format("--wrap takes the place of a script; leave \"{}\" out", shown(words[next])));
      return std::unexpected(findings.take_errors());
    }
    line.script = words[next++];
  }
  line.arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(next), words.end());
  return line;
}

bool looks_like_sbatch(std::string_view text) {
  return text.starts_with("#!") && text.find("\n#SBATCH") != std::string_view::npos;
}

}  // namespace gw::spec
