// Reading and writing of journal files.
#include "runtime/journal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "runtime/journal_codec.h"
#include "sched/codec.h"

namespace gw::runtime {
namespace {

constexpr std::string_view kMagic = "GWJOURN2";
constexpr std::size_t kMostRecordBytes = std::size_t{1} << 30;

Error io_error(std::string_view what, const std::string& path) {
  return Error{fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
}

}  // namespace

JournalWriter::JournalWriter(files::OutputFile file, std::uint64_t snapshot_interval)
    : file_(std::move(file)), snapshot_interval_(snapshot_interval) {}

Result<std::unique_ptr<JournalWriter>> JournalWriter::create(const std::string& path,
                                                             const JournalHeader& header,
                                                             std::uint64_t snapshot_interval) {
  Result<files::OutputFile> file = files::OutputFile::open(path, files::Folder::kMustExist);
  if (!file) return std::unexpected(std::move(file.error()));
  std::unique_ptr<JournalWriter> writer(new JournalWriter(std::move(*file), snapshot_interval));
  writer->file_.write(kMagic);
  ByteWriter bytes;
  encode(bytes, header);
  if (Result<void> done = writer->append('H', bytes.bytes()); !done) return std::unexpected(done.error());
  return writer;
}

/// Record: type (1 byte), payload length (4), CRC-32C of type and payload (4), payload.
Result<void> JournalWriter::append(char type, std::string_view payload) {
  GW_CHECK(!ended_ && payload.size() <= kMostRecordBytes);
  ByteWriter head;
  head.fixed32(static_cast<std::uint32_t>(payload.size()));
  head.fixed32(crc32c(payload, crc32c(std::string_view(&type, 1))));
  file_.write(std::string_view(&type, 1));
  file_.write(head.bytes());
  file_.write(payload);
  // After a crash, the partial file is to show what led there.
  constexpr std::size_t kMostLost = 4096;
  if (file_.buffered() >= kMostLost) file_.flush();
  if (Result<void> written = file_.status(); !written) return written;
  ++records_;
  return {};
}

Result<void> JournalWriter::append_events(Instant now, const std::vector<sched::Event>& events) {
  buffer_.clear();
  buffer_.i64(now.count());
  buffer_.u64(events.size());
  for (const sched::Event& event : events) sched::encode(buffer_, event);
  return append('E', buffer_.bytes());
}

Result<void> JournalWriter::append_plan(Instant now, const sched::Plan& plan) {
  buffer_.clear();
  buffer_.i64(now.count());
  sched::encode(buffer_, plan);
  return append('P', buffer_.bytes());
}

Result<void> JournalWriter::append_snapshot(Instant now, std::string_view snapshot) {
  buffer_.clear();
  buffer_.i64(now.count());
  buffer_.text(snapshot);
  return append('S', buffer_.bytes());
}

Result<void> JournalWriter::end() {
  ByteWriter bytes;
  bytes.u64(records_);
  Result<void> done = append('Z', bytes.bytes());
  ended_ = true;
  return done;
}

Result<void> JournalWriter::close() {
  if (Result<void> done = end(); !done) return done;
  return file_.commit();
}

JournalReader::~JournalReader() {
  if (file_ != nullptr) std::fclose(file_);
}

Result<std::unique_ptr<JournalReader>> JournalReader::open(const std::string& path) {
  std::unique_ptr<JournalReader> reader(new JournalReader());
  reader->name_ = path;
  reader->file_ = std::fopen(path.c_str(), "rb");
  if (reader->file_ == nullptr) return std::unexpected(io_error("cannot open the journal", path));
  if (Result<void> done = reader->read_header(); !done) return std::unexpected(done.error());
  return reader;
}

Result<std::unique_ptr<JournalReader>> JournalReader::from_memory(std::string bytes, std::string name) {
  std::unique_ptr<JournalReader> reader(new JournalReader());
  reader->name_ = std::move(name);
  reader->memory_ = std::move(bytes);
  if (Result<void> done = reader->read_header(); !done) return std::unexpected(done.error());
  return reader;
}

bool JournalReader::read_bytes(std::size_t size, std::string& out) {
  if (file_ == nullptr) {
    if (memory_.size() - offset_ < size) return false;
    out = memory_.substr(offset_, size);
    offset_ += size;
    return true;
  }
  out.clear();
  while (out.size() < size) {  // In steps: a damaged length must not take memory that the file cannot fill.
    const std::size_t before = out.size();
    const std::size_t step = std::min<std::size_t>(size - before, std::size_t{1} << 20);
    out.resize(before + step);
    const std::size_t got = std::fread(out.data() + before, 1, step, file_);
    offset_ += got;
    if (got != step) return false;
  }
  return true;
}

Result<void> JournalReader::read_header() {
  std::string magic;
  if (!read_bytes(kMagic.size(), magic) || magic != kMagic)
    return fail(fmt::format("{}: not a gigawerk journal (it does not begin with {})", name_, kMagic));
  Result<std::pair<char, std::string>> record = read_record();
  if (!record) return std::unexpected(record.error());
  ByteReader in(record->second);
  header_ = decode_header(in);
  if (record->first != 'H' || !in.done())
    return fail(fmt::format("{}: the journal's header is damaged", name_));
  if (const std::string problem = check_fleet(header_.fleet); !problem.empty())
    return fail(fmt::format("{}: the journal's header is damaged: {}", name_, problem));
  return {};
}

Result<std::pair<char, std::string>> JournalReader::read_record() {
  const std::uint64_t start = offset_;
  std::string head;
  if (!read_bytes(9, head))
    return fail(
        fmt::format("{}: byte {}: the journal is cut short (its end record is missing)", name_, start));
  ByteReader in(std::string_view(head).substr(1));
  const std::uint32_t size = in.fixed32();
  const std::uint32_t crc = in.fixed32();
  std::string payload;
  if (size > kMostRecordBytes || !read_bytes(size, payload))
    return fail(fmt::format("{}: byte {}: the journal is cut short inside a record", name_, start));
  if (crc32c(payload, crc32c(std::string_view(head).substr(0, 1))) != crc)
    return fail(fmt::format("{}: byte {}: a record is damaged (its checksum differs)", name_, start));
  ++records_;
  return std::pair{head[0], std::move(payload)};
}

Result<JournalRecord> JournalReader::next() {
  const std::uint64_t start = offset_;
  Result<std::pair<char, std::string>> record = read_record();
  if (!record) return std::unexpected(record.error());
  ByteReader in(record->second);
  JournalRecord result;
  switch (record->first) {
    case 'E': {
      EventsRecord events{Instant{in.i64()}, {}};
      const std::size_t count = in.count();
      for (std::size_t index = 0; index < count && in.ok(); ++index)
        events.events.push_back(sched::decode_event(in));
      result = std::move(events);
      break;
    }
    case 'P': {
      PlanRecord plan{Instant{in.i64()}, sched::decode_plan(in), record->second};
      result = std::move(plan);
      break;
    }
    case 'S': {
      const Instant now{in.i64()};
      result = SnapshotRecord{now, std::string(in.text())};
      break;
    }
    case 'Z': {
      const EndRecord end{in.u64()};
      if (in.ok() && end.records + 1 != records_)
        return fail(
            fmt::format("{}: byte {}: {} records are missing", name_, start, end.records + 1 - records_));
      if (std::string more; read_bytes(1, more))
        return fail(fmt::format("{}: byte {}: bytes follow the end of the journal", name_, offset_ - 1));
      result = end;
      break;
    }
    default:
      in.refuse();
  }
  if (!in.done()) return fail(fmt::format("{}: byte {}: a record cannot be read", name_, start));
  return result;
}

}  // namespace gw::runtime
