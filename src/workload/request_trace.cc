// The three formats of recorded requests.
#include "workload/request_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_set>

#include "workload/field_text.h"
#include "workload/json_objects.h"
#include "workload/row_tally.h"
#include "workload/rows.h"

namespace gw::workload {

namespace {

constexpr std::int64_t kMostTokens = 100'000'000;
constexpr std::uint32_t kMooncakeBlock = 512;

/// Arrivals as they stand in the file, until the earliest is known.
struct Found {
  std::int64_t at_ns = 0;
  TraceRequest request;
};

const char* take_tokens(std::optional<std::int64_t> input, std::optional<std::int64_t> output,
                        TraceRequest& request) {
  if (!input || *input < 1 || *input > kMostTokens) return "prompt's tokens are not a positive number";
  if (!output || *output < 0 || *output > kMostTokens) return "answer's tokens are not a number";
  request.input = static_cast<std::uint32_t>(*input);
  request.output = static_cast<std::uint32_t>(*output);
  return nullptr;
}

class Reader {
 public:
  Reader(ByteSource& source, bool strict) : source_(source), tally_(source.name(), strict) {}

  Result<RequestTrace> read() {
    RequestTrace trace;
    const Result<bool> json = begins_with_brace();
    if (!json) return std::unexpected(json.error());
    const Result<RequestFormat> format = *json ? read_lines() : read_table();
    if (!format) return std::unexpected(format.error());
    trace.format = *format;
    trace.counts = tally_.counts();
    if (found_.empty()) return fail(fmt::format("{}: holds no requests with an answer", source_.name()));
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.at_ns < b.at_ns; });
    const std::int64_t first = found_.front().at_ns;
    trace.requests.reserve(found_.size());
    for (Found& each : found_) {
      each.request.arrival = Nanoseconds{each.at_ns - first};
      trace.requests.push_back(each.request);
    }
    return trace;
  }

 private:
  Result<bool> begins_with_brace() {
    char bytes[64];
    const Result<std::size_t> size = source_.read(bytes);
    if (!size) return std::unexpected(size.error());
    if (const Result<void> again = source_.rewind(); !again) return std::unexpected(again.error());
    const std::string_view text = trimmed(std::string_view(bytes, *size));
    return text.starts_with("{") || text.starts_with("[");
  }

  Result<void> done(const char* problem, const Found& found, std::uint64_t line, std::string_view text) {
    if (problem != nullptr) return tally_.senseless(problem, line, text);
    if (found.request.output == 0) {
      tally_.left_out("no answer: the request failed", line);
      return {};
    }
    tally_.accepted();
    found_.push_back(found);
    return {};
  }

  Result<RequestFormat> read_table() {
    const std::unique_ptr<RowSource> rows = csv_rows(source_);
    Row row;
    Result<bool> there = rows->next(row);
    if (!there) return std::unexpected(there.error());
    std::vector<std::string> names;
    if (*there) {
      for (const std::string_view each : row.fields) names.emplace_back(trimmed(each));
    }
    const auto column = [&](std::string_view name) {
      const auto at = std::find_if(names.begin(), names.end(),
                                   [&](const std::string& each) { return equals_ignoring_case(each, name); });
      return static_cast<std::size_t>(at - names.begin());
    };
    const std::size_t time = column("timestamp");
    const bool azure = column("contexttokens") < names.size();
    const std::size_t input = azure ? column("contexttokens") : column("request tokens");
    const std::size_t output = azure ? column("generatedtokens") : column("response tokens");
    if (std::max({time, input, output}) >= names.size())
      return fail(fmt::format(
          "{}: holds no requests that can be read: take a trace of Azure (TIMESTAMP,ContextTokens,"
          "GeneratedTokens), BurstGPT (Timestamp,Request tokens,Response tokens) or Mooncake (JSON lines)",
          source_.name()));
    for (;;) {
      there = rows->next(row);
      if (!there) return std::unexpected(there.error());
      if (!*there) break;
      tally_.seen();
      Found found;
      const char* problem = row.problem;
      if (problem == nullptr && row.fields.size() <= std::max({time, input, output}))
        problem = "row is shorter than its header";
      if (problem == nullptr) {
        if (azure) {
          const std::optional<Instant> at = parse_date(row.fields[time]);
          if (at) found.at_ns = at->count();
          if (!at) problem = "time stamp is not a date";
        } else {
          const std::optional<Nanoseconds> at = parse_seconds(row.fields[time]);
          if (at && *at >= Nanoseconds{}) found.at_ns = at->count();
          if (!at || *at < Nanoseconds{}) problem = "time stamp is not a number of seconds";
        }
      }
      if (problem == nullptr)
        problem = take_tokens(parse_whole(row.fields[input]), parse_whole(row.fields[output]), found.request);
      if (const Result<void> counted = done(problem, found, row.line, row.text); !counted)
        return std::unexpected(counted.error());
    }
    return azure ? RequestFormat::kAzure : RequestFormat::kBurstGpt;
  }

  Result<RequestFormat> read_lines() {
    JsonObjects objects(source_);
    for (;;) {
      std::string_view text;
      const Result<bool> there = objects.next(text);
      if (!there) return std::unexpected(there.error());
      if (!*there) break;
      tally_.seen();
      Found found;
      const char* problem = "object is longer than 16 MiB";
      if (!objects.cut()) {
        const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
        problem = object.is_discarded() ? "object is not JSON" : take(object, found);
      }
      if (const Result<void> counted = done(problem, found, objects.line(), text); !counted)
        return std::unexpected(counted.error());
    }
    return RequestFormat::kMooncake;
  }

  static std::optional<std::int64_t> whole(const nlohmann::json& object, const char* name) {
    const auto member = object.find(name);
    if (member == object.end() || !member->is_number_integer()) return {};
    if (member->is_number_unsigned() && member->get<std::uint64_t>() > std::uint64_t{1} << 62) return {};
    return member->get<std::int64_t>();
  }

  const char* take(const nlohmann::json& object, Found& found) {
    const std::optional<std::int64_t> at = whole(object, "timestamp");
    if (!at || *at < 0 || *at > kMostSeconds * 1000) return "time stamp is not a number of milliseconds";
    found.at_ns = *at * 1'000'000;
    if (const char* problem =
            take_tokens(whole(object, "input_length"), whole(object, "output_length"), found.request);
        problem != nullptr)
      return problem;
    const auto blocks = object.find("hash_ids");
    if (blocks == object.end() || !blocks->is_array()) return nullptr;
    bool known = true;  // A block counts only while all before it are known, too.
    std::uint64_t repeated = 0;
    for (const nlohmann::json& block : *blocks) {
      if (!block.is_number_integer()) return "block hashes are not whole numbers";
      known = !seen_.insert(block.get<std::int64_t>()).second && known;
      if (known) repeated += kMooncakeBlock;
    }
    // The last token is always computed: the answer begins with it.
    found.request.repeated =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(repeated, found.request.input - 1));
    return nullptr;
  }

  ByteSource& source_;
  RowTally tally_;
  std::vector<Found> found_;
  std::unordered_set<std::int64_t> seen_;  // Asked, never iterated.
};

}  // namespace

std::string_view request_format_name(RequestFormat format) {
  switch (format) {
    case RequestFormat::kAzure:
      return "azure";
    case RequestFormat::kBurstGpt:
      return "burstgpt";
    case RequestFormat::kMooncake:
      return "mooncake";
  }
  return "";
}

Result<RequestTrace> read_requests(ByteSource& source, bool strict) { return Reader(source, strict).read(); }

}  // namespace gw::workload
