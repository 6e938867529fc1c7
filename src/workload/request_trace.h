// Recorded requests to language models: when each came, how long its prompt and its answer were.
//
// Three published formats, told apart by their beginning (docs/formats-traces.md, "Requests"):
// - Azure (AzurePublicDataset, LLM inference traces 2023 and 2024): CSV, TIMESTAMP,ContextTokens,
//   GeneratedTokens; dates with fractions of a second.
// - BurstGPT (arXiv:2401.17644): CSV, Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type;
//   seconds from the trace's zero. Answers of no token are failures and are left out.
// - Mooncake (arXiv:2407.00079): one JSON object a line, timestamp (ms), input_length, output_length and
//   hash_ids, one for each 512 tokens of the prompt; equal ones are equal beginnings.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "workload/byte_source.h"
#include "workload/job_stream.h"

namespace gw::workload {

enum class RequestFormat : std::uint8_t { kAzure, kBurstGpt, kMooncake };
[[nodiscard]] std::string_view request_format_name(RequestFormat format);

struct TraceRequest {
  Nanoseconds arrival;       ///< Since the first one.
  std::uint32_t input = 0;   ///< Tokens of the prompt, 1 or more,
  std::uint32_t output = 0;  ///< and of the answer, 1 or more.
  /// Tokens at the prompt's beginning that an earlier prompt began with too; 0 where the format does not say.
  std::uint32_t repeated = 0;
};

struct RequestTrace {
  RequestFormat format = RequestFormat::kAzure;
  std::vector<TraceRequest> requests;  ///< Sorted by arrival; equal ones keep their order.
  RowCounts counts;
};

/// Reads all of `source`. An Error where it is of none of these formats, cannot be read, or holds no request;
/// with `strict` also where a row makes no sense.
Result<RequestTrace> read_requests(ByteSource& source, bool strict = false);

}  // namespace gw::workload
