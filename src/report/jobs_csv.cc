// Formats rows of jobs.csv straight into the file's buffer.
#include "report/jobs_csv.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <utility>

namespace gw::report {
namespace {

constexpr std::size_t kNumberBytes = 24;  // Enough for any 64-bit number or time.

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_number(char* out, std::uint64_t value) { return std::to_chars(out, out + kNumberBytes, value).ptr; }

/// `value / 10^digits` without trailing zeros.
template <int digits>
char* put_fraction(char* out, std::int64_t value) {
  constexpr std::uint64_t kScale = digits == 9 ? 1'000'000'000 : 1000;
  static_assert(digits == 9 || digits == 3);
  auto magnitude = static_cast<std::uint64_t>(value);
  if (value < 0) {
    *out++ = '-';
    magnitude = -magnitude;
  }
  out = put_number(out, magnitude / kScale);
  std::uint64_t rest = magnitude % kScale;
  if (rest == 0) return out;
  *out++ = '.';
  for (std::uint64_t place = kScale / 10; rest != 0; place /= 10) {
    *out++ = static_cast<char>('0' + rest / place);
    rest %= place;
  }
  return out;
}

char* put_seconds(char* out, std::int64_t nanoseconds) { return put_fraction<9>(out, nanoseconds); }

bool needs_quotes(std::string_view text) { return text.find_first_of(",\"\n\r") != std::string_view::npos; }

std::string_view outcome_name(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::kCompleted:
      return "completed";
    case JobOutcome::kFailed:
      return "failed";
    case JobOutcome::kCancelled:
      return "cancelled";
    case JobOutcome::kTimeout:
      return "timeout";
  }
  return "";
}

/// The field of names[index], kept in `fields`; a number where there is no name.
const std::string& name_field(std::vector<std::string>& fields, const std::vector<std::string>& names,
                              std::size_t index) {
  while (fields.size() <= index) {
    const std::size_t next = fields.size();
    fields.push_back(next < names.size() ? csv_field(names[next]) : std::to_string(next));
  }
  return fields[index];
}

/// The fields of a row that are names, as they stand in the file.
struct Fields {
  std::string_view tenant, job_class, span, reason;
};

constexpr std::size_t kOtherBytes = 8 * kNumberBytes + 32;  // Numbers, outcome and commas.

char* put_row(char* out, const twin::JobRecord& job, const Fields& fields) {
  out = needs_quotes(job.id) ? put(out, csv_field(job.id)) : put(out, job.id);
  *out++ = ',';
  out = put_seconds(out, job.submit.count());
  *out++ = ',';
  out = put_seconds(out, job.start.count());
  *out++ = ',';
  out = put_seconds(out, job.end.count());
  *out++ = ',';
  out = put_seconds(out, job.wait().count());
  *out++ = ',';
  out = put(out, fields.tenant);
  *out++ = ',';
  out = put(out, fields.job_class);
  *out++ = ',';
  out = put_fraction<3>(out, job.gpu_milli);
  *out++ = ',';
  out = put_number(out, job.nodes_used);
  *out++ = ',';
  out = put(out, fields.span);
  *out++ = ',';
  out = put(out, outcome_name(job.outcome));
  *out++ = ',';
  out = put_number(out, job.restarts);
  *out++ = ',';
  out = put_seconds(out, job.limit.count());
  *out++ = ',';
  out = put(out, fields.reason);
  *out++ = '\n';
  return out;
}

}  // namespace

std::string csv_field(std::string_view text) {
  if (!needs_quotes(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"') quoted += '"';
    quoted += character;
  }
  return quoted + '"';
}

JobsCsv::JobsCsv(files::OutputFile file, const TenantTree& tenants, const twin::RunLabels& labels)
    : file_(std::move(file)), tenants_(&tenants), labels_(&labels), span_fields_{"node"} {
  for (const std::string& level : labels.fabric_levels) span_fields_.push_back(csv_field(level));
}

Result<JobsCsv> JobsCsv::open(const std::filesystem::path& path, const TenantTree& tenants,
                              const twin::RunLabels& labels) {
  Result<files::OutputFile> file = files::OutputFile::open(path);
  if (!file) return std::unexpected(std::move(file.error()));
  file->write(kJobsCsvHeader);
  return JobsCsv(std::move(*file), tenants, labels);
}

const std::string& JobsCsv::tenant_field(TenantId id) {
  for (auto next = static_cast<std::uint32_t>(tenant_fields_.size()); next <= id.value(); ++next)
    tenant_fields_.push_back(csv_field(tenants_->path(TenantId{next})));
  return tenant_fields_[id.value()];
}

void JobsCsv::add(const twin::JobRecord& job) {
  const Fields fields{
      tenant_field(job.tenant), name_field(class_fields_, labels_->job_classes, job.job_class),
      name_field(span_fields_, {}, job.span), name_field(reason_fields_, labels_->wait_reasons, job.reason)};
  const std::size_t bytes = 2 * job.id.size() + 2 + fields.tenant.size() + fields.job_class.size() +
                            fields.span.size() + fields.reason.size() + kOtherBytes;
  if (bytes <= files::OutputFile::kBufferBytes) [[likely]] {
    file_.advance_to(put_row(file_.reserve(bytes), job, fields));
  } else {
    std::string row(bytes, '\0');
    row.resize(static_cast<std::size_t>(put_row(row.data(), job, fields) - row.data()));
    file_.write(row);
  }
  ++rows_;
}

Result<void> JobsCsv::close() { return file_.commit(); }

}  // namespace gw::report
