// Runs the twin with its output files.
#include "cli/run_files.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "audit/chain.h"
#include "audit/decision_record.h"
#include "cli/share.h"
#include "report/jobs_csv.h"
#include "report/json.h"
#include "report/progress.h"
#include "report/run_facts.h"
#include "report/run_report.h"
#include "report/terminal.h"
#include "report/text.h"
#include "runtime/journal.h"

namespace gw {

std::string row_counts_text(const workload::RowCounts& counts) {
  std::string text;
  std::uint64_t skipped = 0;
  for (const auto& [reason, rows] : counts.skipped) skipped += rows.count;
  if (skipped > 0) text += fmt::format("{} of {} rows left out:\n", skipped, counts.rows);
  for (const auto& [reason, rows] : counts.skipped)
    text += fmt::format("  {:>9}  {} (first: {})\n", rows.count, report::printable_name(reason),
                        report::printable_name(rows.first));
  if (!counts.adjusted.empty()) text += "rows adjusted:\n";
  for (const auto& [reason, rows] : counts.adjusted)
    text += fmt::format("  {:>9}  {} (first: {})\n", rows.count, report::printable_name(reason),
                        report::printable_name(rows.first));
  return text;
}

namespace {

report::RunFacts facts_of(const JobTap& jobs, const RunInput& input) {
  report::RunFacts facts;
  facts.generated = input.generated;
  facts.flat = input.flat;
  jobs.fill(facts);
  if (input.tap.tenants != nullptr) facts.notes.push_back(jobs.tenants_note(input.tenants_file));
  for (const std::string& name : jobs.unused_gpu_types())
    facts.notes.push_back(
        fmt::format("No job asks for GPU type {}: --gpu-type {}=... changes nothing.", name, name));
  return facts;
}

/// Writes what the law said of each job, as a chain.
class DecisionFile {
 public:
  static Result<DecisionFile> open(const std::string& path) {
    Result<files::OutputFile> file = files::OutputFile::open(path, files::Folder::kMustExist);
    if (!file) return std::unexpected(std::move(file.error()));
    return DecisionFile(std::move(*file));
  }

  Result<void> add(const twin::Ruling& ruling, const Law& law) {
    audit::DecisionRecord record;
    record.sequence = head_.sequence + 1;
    const std::int64_t at = (ruling.when - Instant{}).count();
    record.time = fmt::format("{}.{:09}", at / kNanosecondsPerSecond, at % kNanosecondsPerSecond);
    record.job = ruling.job.value();
    record.name = ruling.name;
    record.outcome = ruling.refused == sched::Reason::kNone ? "admitted" : "refused";
    if (ruling.refused != sched::Reason::kNone) {
      record.reason = sched::reason_name(ruling.refused);
      record.message = ruling.decision->allowed ? std::string(sched::reason_text(ruling.refused))
                                                : ruling.decision->refusal(law);
    }
    record.tenant = ruling.tenant;
    record.facts = ruling.facts;
    record.day = ruling.day;
    const std::string text = audit::canonical_json(record, law, ruling.decision.get());
    head_ = audit::next(head_, text);
    file_.write(audit::chain_line(text, head_.hash) + '\n');
    return file_.status();
  }

  [[nodiscard]] files::OutputFile& file() { return file_; }

 private:
  explicit DecisionFile(files::OutputFile file) : file_(std::move(file)) {}

  files::OutputFile file_;
  audit::Head head_;
};

}  // namespace

Result<ExitCode> run_with_files(const AppContext& context, const Fleet& fleet, workload::JobStream& source,
                                twin::TwinOptions options, const RunFiles& files, const RunInput& input,
                                Nanoseconds total) {
  const report::RunStopwatch stopwatch;
  report::ProgressLine progress(context.progress && !files.quiet);
  std::unique_ptr<runtime::JournalWriter> journal;
  if (!files.journal.empty()) {
    Result<std::unique_ptr<runtime::JournalWriter>> created =
        runtime::JournalWriter::create(files.journal, {options.name, fleet, options.policy});
    if (!created) return std::unexpected(created.error());
    journal = std::move(*created);
  }
  std::optional<DecisionFile> decisions;
  if (!files.decisions.empty()) {
    Result<DecisionFile> opened = DecisionFile::open(files.decisions);
    if (!opened) return std::unexpected(opened.error());
    decisions.emplace(std::move(*opened));
    options.on_ruling = [&](const twin::Ruling& ruling) { return decisions->add(ruling, input.law); };
  }
  if (input.law.in_use || decisions) options.law = &input.law;
  JobTap stream(source, fleet, input.tap, journal.get());
  options.store = &stream;
  const twin::RunLabels labels = twin::run_labels(fleet, stream, options);
  std::optional<report::JobsCsv> jobs_csv;
  if (!files.out.empty()) {
    Result<report::JobsCsv> opened =
        report::JobsCsv::open(std::filesystem::path(files.out) / "jobs.csv", stream.tenants(), labels);
    if (!opened) return std::unexpected(opened.error());
    jobs_csv.emplace(std::move(*opened));
    options.on_job = [&jobs_csv](const twin::JobRecord& job, const TenantTree& /*tenants*/) -> Result<void> {
      jobs_csv->add(job);
      return {};
    };
  }
  options.on_progress = [&](std::uint64_t jobs, Instant now) {
    progress.update(total > Nanoseconds{0} ? to_seconds(now) / to_seconds(total) : -1.0, jobs, now);
  };
  Result<twin::RunSummary> summary = twin::run_twin(fleet, stream, options);
  progress.clear();
  if (!summary) return std::unexpected(summary.error());
  std::vector<files::OutputFile*> together;
  if (jobs_csv) together.push_back(&jobs_csv->file());
  if (decisions) together.push_back(&decisions->file());
  if (journal) {
    if (Result<void> ended = journal->end(); !ended) return std::unexpected(ended.error());
    together.push_back(&journal->file());
  }
  if (input.unshifted) {
    const Result<twin::RunSummary> other = input.unshifted();
    if (!other) return std::unexpected(other.error());
    summary->energy.has_unshifted = true;
    summary->energy.unshifted_mwh = other->energy.mwh;
    summary->energy.unshifted_euros = other->energy.euros;
    summary->energy.unshifted_tonnes = other->energy.tonnes;
    summary->energy.unshifted_late_jobs = other->energy.late_jobs;
  }
  summary->run = stopwatch.stop(summary->jobs.submitted);
  const report::RunFacts facts = facts_of(stream, input);
  std::vector<std::filesystem::path> written;
  if (!files.out.empty()) {
    report::WriteOptions write{.html_template = {}, .facts = &facts};
    if (const Result<std::filesystem::path> page = find_share(report::kHtmlTemplateShare)) {
      write.html_template = *page;
    } else {
      print_error(context, "no report.html: this build of gw has no page for it (built with GW_WEB=OFF?)");
    }
    Result<std::vector<std::filesystem::path>> result =
        report::write_run(files.out, *summary, write, together);
    if (!result) return std::unexpected(result.error());
    written = std::move(*result);
    written.emplace_back(std::filesystem::path(files.out) / "jobs.csv");
  } else if (Result<void> done = files::commit_all(together); !done) {
    return std::unexpected(done.error());
  }
  if (files.json) {
    report::Json json = report::to_json(*summary, report::Detail::kSummary);
    report::add_facts(json, facts);
    const std::string text = report::json_text(json);
    std::fwrite(text.data(), 1, text.size(), stdout);
  } else {
    const std::string text =
        report::terminal_summary(*summary, report::terminal_style(context.colour_out), facts);
    std::fwrite(text.data(), 1, text.size(), stdout);
    for (const std::filesystem::path& path : written) fmt::print("wrote {}\n", path.string());
    if (!files.journal.empty()) fmt::print("wrote {}\n", files.journal);
    if (!files.decisions.empty()) fmt::print("wrote {}\n", files.decisions);
  }
  if (const std::string counts = row_counts_text(stream.counts()); !counts.empty() && !files.json)
    fmt::print(stderr, "{}", counts);
  if (std::fflush(stdout) != 0) return fail("cannot write to standard output");
  return ExitCode::ok;
}

Result<std::uint32_t> processors_for(const std::string& log, const workload::TraceInfo& info,
                                     std::uint32_t given, const std::string& advice) {
  if (given != 0) return given;
  if (info.max_processors > 0 && info.max_processors <= kMostProcessors)
    return static_cast<std::uint32_t>(info.max_processors);
  return fail(fmt::format("{}: the log does not say how many processors the machine has; {}", log, advice));
}

}  // namespace gw
