// open_trace: recorded workloads of six families of formats as JobStreams.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/byte_source.h"
#include "workload/job_stream.h"

namespace gw::workload {

enum class TraceFormat : std::uint8_t {
  kSwf,
  kSacct,
  kAlibabaGpu2023,
  kAlibabaPai2020,
  kPhilly,
  kHelios,
  kAcme
};

/// A format's name on the command line and one line on what it is, in the order of TraceFormat.
struct TraceFormatName {
  TraceFormat format;
  std::string_view name;
  std::string_view description;
};
const std::vector<TraceFormatName>& trace_format_names();
std::optional<TraceFormat> trace_format_by_name(std::string_view name);
std::string_view trace_format_name(TraceFormat format);

struct TraceOptions {
  std::optional<TraceFormat> format{};  ///< None: found out from the first lines.
  bool strict = false;                  ///< The first row that makes no sense is an Error.
  /// Rows asking for more (processors or GPUs) make no sense; 0 = any number.
  std::uint64_t max_processors = 0;
  bool use_memory = false;  ///< SWF only: turn requested memory (KB per processor) into a wish.

  /// GPUs anywhere, whatever the log says of nodes, types, CPUs and memory: for machines that are only a
  /// number of processors (flat_fleet), which have neither.
  bool flat = false;
};

/// What a trace says about itself beside its jobs.
struct TraceInfo {
  TraceFormat format = TraceFormat::kSwf;
  /// Header comments by label (`Computer`, `MaxProcs`, `Note`, ...); repeated labels joined by newlines.
  std::map<std::string, std::string> header;
  std::uint64_t max_processors =
      0;                        ///< The machine's processors (or GPUs) as the log names them; 0 = not said.
  std::uint64_t max_nodes = 0;  ///< 0 = not said.
  std::uint64_t max_jobs = 0;   ///< 0 = not said.
  /// Unix time of the trace's zero; none where the log does not say (times are then from the log's own zero).
  std::optional<std::int64_t> zero_unix_s;
  bool sorted = true;  ///< False: the file was put in order of submission first.
};

/// A JobStream that also says what the trace says about itself.
class TraceStream : public JobStream {
 public:
  [[nodiscard]] virtual const TraceInfo& info() const = 0;
};

/// Opens `path` (`-` = standard input; pipes are spooled to a temporary file), finds the order of its rows in
/// a first pass, and gives its jobs in order of submission; equal times keep the order of the file. Memory
/// does not grow with the trace: an unsorted one is sorted over temporary files. The Error says what is wrong
/// with the file.
Result<std::unique_ptr<TraceStream>> open_trace(const std::string& path, const TraceOptions& options = {});

/// The same from any source of bytes.
Result<std::unique_ptr<TraceStream>> open_trace(std::unique_ptr<ByteSource> source,
                                                const TraceOptions& options);

}  // namespace gw::workload
