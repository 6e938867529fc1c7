// Records as bytes: a type, a length, a checksum, then the fields in order.
#include "supervise/records.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/utf8.h"

namespace gw::supervise {
namespace {

// Types; the digit is the format's version.
constexpr std::string_view kLaunchType = "GWL2";
constexpr std::string_view kExitType = "GWX2";
constexpr std::string_view kClaimedType = "GWC2";
constexpr std::string_view kStartedType = "GWS1";
constexpr std::string_view kRanType = "GWR1";
constexpr std::string_view kStopType = "GWT1";
constexpr std::string_view kLimitType = "GWM1";
// The first version had no identity; what it wrote is read.
constexpr std::string_view kLaunchType1 = "GWL1";
constexpr std::string_view kExitType1 = "GWX1";
constexpr std::string_view kClaimedType1 = "GWC1";
constexpr std::size_t kTypeBytes = 4;
constexpr std::size_t kHeadBytes = kTypeBytes + 8;

/// Type (4 bytes), length of the payload (4), CRC-32C of type and payload (4), payload.
std::string framed(std::string_view type, const ByteWriter& payload) {
  ByteWriter head;
  head.fixed32(static_cast<std::uint32_t>(payload.bytes().size()));
  head.fixed32(crc32c(payload.bytes(), crc32c(type)));
  std::string bytes(type);
  bytes += head.bytes();
  bytes += payload.bytes();
  return bytes;
}

/// The payload of a record of that type at the front of `bytes`, which is moved behind it. Bytes may follow:
/// a record is written into a file that was made larger.
std::optional<std::string_view> take_framed(std::string_view type, std::string_view& bytes) {
  if (bytes.size() < kHeadBytes || !bytes.starts_with(type)) return std::nullopt;
  ByteReader head(bytes.substr(kTypeBytes, 8));
  const std::uint32_t size = head.fixed32();
  const std::uint32_t crc = head.fixed32();
  if (bytes.size() - kHeadBytes < size) return std::nullopt;
  const std::string_view payload = bytes.substr(kHeadBytes, size);
  if (crc32c(payload, crc32c(type)) != crc) return std::nullopt;
  bytes.remove_prefix(kHeadBytes + size);
  return payload;
}

/// A record of that type, or of the one that it had without an identity at its end.
std::optional<std::string_view> take_either(std::string_view type, std::string_view old_type,
                                            std::string_view& bytes, bool& has_identity) {
  has_identity = bytes.starts_with(type);
  return take_framed(has_identity ? type : old_type, bytes);
}

template <class List, class Write>
void write_list(ByteWriter& out, const List& list, Write write) {
  out.u64(list.size());
  for (const auto& item : list) write(item);
}

void write_texts(ByteWriter& out, const std::vector<std::string>& texts) {
  write_list(out, texts, [&](const std::string& text) { out.text(text); });
}

void write_numbers(ByteWriter& out, const std::vector<std::uint32_t>& numbers) {
  write_list(out, numbers, [&](std::uint32_t number) { out.u64(number); });
}

std::vector<std::string> read_texts(ByteReader& in) {
  std::vector<std::string> texts(in.count());
  for (std::string& text : texts) text = in.text();
  return texts;
}

std::vector<std::uint32_t> read_numbers(ByteReader& in) {
  std::vector<std::uint32_t> numbers(in.count());
  for (std::uint32_t& number : numbers) number = in.u32();
  return numbers;
}

bool read_bool(ByteReader& in) {
  const std::uint8_t value = in.u8();
  if (value > 1) in.refuse();
  return value == 1;
}

void write_task(ByteWriter& out, const TaskRecord& task) {
  write_texts(out, task.command);
  write_list(out, task.environment, [&](const auto& entry) {
    out.u64(entry.first);
    out.text(entry.second);
  });
  out.text(task.output);
  out.text(task.error);
  out.text(task.input);
}

TaskRecord read_task(ByteReader& in, std::size_t environment_size) {
  TaskRecord task;
  task.command = read_texts(in);
  task.environment.resize(in.count());
  for (auto& [index, text] : task.environment) {
    index = in.u64();
    text = in.text();
    if (index >= environment_size) in.refuse();
  }
  task.output = in.text();
  task.error = in.text();
  task.input = in.text();
  return task;
}

}  // namespace

bool operator==(const TaskRecord& a, const TaskRecord& b) {
  return a.command == b.command && a.environment == b.environment && a.output == b.output &&
         a.error == b.error && a.input == b.input;
}

std::string encode(const LaunchRecord& record) {
  ByteWriter out;
  out.u64(record.job);
  out.u64(record.attempt);
  out.text(record.mark);
  write_texts(out, record.command);
  write_texts(out, record.environment);
  write_list(out, record.tasks, [&](const TaskRecord& task) { write_task(out, task); });
  out.text(record.working_folder);
  out.u64(record.separate_error ? 1 : 0);
  out.u64(record.segment_bytes);
  out.u64(record.output_cap_bytes);
  out.i64(record.limit_ns);
  out.i64(record.warning_before_ns);
  out.i64(record.warning_signal);
  out.u64(record.warn_every_process ? 1 : 0);
  out.i64(record.grace_ns);
  out.u64(static_cast<std::uint64_t>(record.reach));
  write_list(out, record.cleanup,
             [&](const std::vector<std::string>& command) { write_texts(out, command); });
  out.u64(record.change_user ? 1 : 0);
  out.u64(record.user);
  out.u64(record.group);
  write_numbers(out, record.groups);
  out.u64(record.no_new_privileges ? 1 : 0);
  out.text(record.control_group);
  out.text(record.cpu_max);
  out.u64(record.memory_bytes);
  out.u64(record.memory_by_group ? 1 : 0);
  out.u64(record.processes_max);
  out.u64(record.processes_by_group ? 1 : 0);
  write_numbers(out, record.cores);
  out.u64(record.open_files);
  out.text(record.note);
  out.u64(record.identity);
  return framed(kLaunchType, out);
}

std::optional<LaunchRecord> decode_launch(std::string_view bytes) {
  bool has_identity = false;
  const std::optional<std::string_view> payload = take_either(kLaunchType, kLaunchType1, bytes, has_identity);
  if (!payload || !bytes.empty()) return std::nullopt;
  ByteReader in(*payload);
  LaunchRecord record;
  record.job = in.u64();
  record.attempt = in.u32();
  record.mark = in.text();
  record.command = read_texts(in);
  record.environment = read_texts(in);
  const std::size_t tasks = in.count();
  for (std::size_t rank = 0; rank < tasks && in.ok(); ++rank)
    record.tasks.push_back(read_task(in, record.environment.size()));
  record.working_folder = in.text();
  record.separate_error = read_bool(in);
  record.segment_bytes = in.u64();
  record.output_cap_bytes = in.u64();
  record.limit_ns = in.i64();
  record.warning_before_ns = in.i64();
  record.warning_signal = static_cast<std::int32_t>(in.i64());
  record.warn_every_process = read_bool(in);
  record.grace_ns = in.i64();
  const std::uint8_t reach = in.u8();
  if (reach > static_cast<std::uint8_t>(SignalReach::kTasksOnly)) in.refuse();
  record.reach = static_cast<SignalReach>(reach);
  const std::size_t commands = in.count();
  for (std::size_t index = 0; index < commands && in.ok(); ++index) record.cleanup.push_back(read_texts(in));
  record.change_user = read_bool(in);
  record.user = in.u32();
  record.group = in.u32();
  record.groups = read_numbers(in);
  record.no_new_privileges = read_bool(in);
  record.control_group = in.text();
  record.cpu_max = in.text();
  record.memory_bytes = in.u64();
  record.memory_by_group = read_bool(in);
  record.processes_max = in.u64();
  record.processes_by_group = read_bool(in);
  record.cores = read_numbers(in);
  record.open_files = in.u64();
  record.note = in.text();
  if (has_identity) record.identity = in.u64();
  if (!in.done() || record.tasks.empty()) return std::nullopt;
  for (const TaskRecord& task : record.tasks) {
    if (task.command.empty() && record.command.empty()) return std::nullopt;
  }
  return record;
}

std::string encode(const ExitRecord& record) {
  constexpr std::size_t kLongestNote = kExitRecordBytes - 256;  // The other fields take less than that.
  ByteWriter out;
  out.u64(record.ran ? 1 : 0);
  out.u64(static_cast<std::uint64_t>(record.ending));
  out.i64(record.exit_code);
  out.i64(record.signal);
  out.i64(record.started_unix_ns);
  out.i64(record.duration_ns);
  out.i64(record.cpu_ns);
  out.u64(record.memory_peak_bytes);
  out.u64(record.output_bytes);
  out.u64(record.output_lost_bytes);
  out.text(utf8_front(record.note, kLongestNote));
  out.u64(record.identity);
  return framed(kExitType, out);
}

std::optional<ExitRecord> decode_exit(std::string_view bytes) {
  bool has_identity = false;
  const std::optional<std::string_view> payload = take_either(kExitType, kExitType1, bytes, has_identity);
  if (!payload) return std::nullopt;
  ByteReader in(*payload);
  ExitRecord record;
  record.ran = read_bool(in);
  const std::uint8_t ending = in.u8();
  if (ending > static_cast<std::uint8_t>(Ending::kLost)) in.refuse();
  record.ending = static_cast<Ending>(ending);
  record.exit_code = static_cast<std::int32_t>(in.i64());
  record.signal = static_cast<std::int32_t>(in.i64());
  record.started_unix_ns = in.i64();
  record.duration_ns = in.i64();
  record.cpu_ns = in.i64();
  record.memory_peak_bytes = in.u64();
  record.output_bytes = in.u64();
  record.output_lost_bytes = in.u64();
  record.note = in.text();
  if (has_identity) record.identity = in.u64();
  if (!in.done()) return std::nullopt;
  return record;
}

std::string encode_stop(std::int64_t most_grace_ns) {
  ByteWriter out;
  out.i64(most_grace_ns);
  return framed(kStopType, out);
}

std::optional<std::int64_t> decode_stop(std::string_view bytes) {
  const std::optional<std::string_view> payload = take_framed(kStopType, bytes);
  if (!payload) return std::nullopt;
  ByteReader in(*payload);
  const std::int64_t most_grace_ns = in.i64();
  if (!in.done() || most_grace_ns < 0) return std::nullopt;
  return most_grace_ns;
}

std::string encode_limit(std::int64_t limit_ns) {
  ByteWriter out;
  out.i64(limit_ns);
  return framed(kLimitType, out);
}

std::optional<std::int64_t> decode_limit(std::string_view bytes) {
  const std::optional<std::string_view> payload = take_framed(kLimitType, bytes);
  if (!payload) return std::nullopt;
  ByteReader in(*payload);
  const std::int64_t limit_ns = in.i64();
  if (!in.done() || limit_ns <= 0) return std::nullopt;
  return limit_ns;
}

std::string encode(const ClaimRecord& record) {
  ByteWriter out;
  out.i64(record.supervisor);
  out.u64(record.identity.value_or(0));
  std::string bytes = framed(kClaimedType, out);
  if (record.started_unix_ns) {
    ByteWriter start;
    start.i64(*record.started_unix_ns);
    bytes += framed(kStartedType, start);
    ByteWriter ran;
    ran.i64(record.ran_ns);
    bytes += framed(kRanType, ran);
  }
  return bytes;
}

ClaimRecord decode_claim(std::string_view bytes) {
  ClaimRecord record;
  bool has_identity = false;
  if (const std::optional<std::string_view> claimed =
          take_either(kClaimedType, kClaimedType1, bytes, has_identity)) {
    ByteReader in(*claimed);
    record.supervisor = static_cast<std::int32_t>(in.i64());
    record.identity = has_identity ? in.u64() : 0;
    if (const std::optional<std::string_view> started = take_framed(kStartedType, bytes)) {
      ByteReader start(*started);
      record.started_unix_ns = start.i64();
      if (const std::optional<std::string_view> so_far = take_framed(kRanType, bytes)) {
        ByteReader ran(*so_far);
        record.ran_ns = ran.i64();
      }
    }
  }
  return record;
}

}  // namespace gw::supervise
