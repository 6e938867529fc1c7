// Node lists into fleets.
#include "workload/node_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "workload/field_text.h"
#include "workload/row_tally.h"
#include "workload/rows.h"

namespace gw::workload {
namespace {

constexpr std::uint32_t kMostNodes = 10'000'000;
constexpr std::uint32_t kPhillyGpusPerNode = 8;  // Jeon et al., USENIX ATC 2019, section 2.3.

using Names = std::vector<std::string>;

int column_named(const Names& names, std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (equals_ignoring_case(names[i], name)) return static_cast<int>(i);
  }
  return -1;
}

class Builder {
 public:
  /// What is wrong with the machine, or empty.
  std::string add(std::string_view model, std::int64_t gpus, std::int64_t cpu_milli,
                  std::int64_t memory_mib) {
    constexpr std::int64_t kMost = std::int64_t{1} << 50;
    if (gpus < 0 || gpus > 64) return "a node has 0 to 64 GPUs";
    if (cpu_milli < 0 || cpu_milli > kMost || memory_mib < 0 || memory_mib > kMost)
      return "CPU or memory makes no sense";
    if (fleet.node_type_of.size() >= kMostNodes) return fmt::format("more than {} nodes", kMostNodes);
    std::uint32_t gpu_type = NodeType::kNoGpu;
    if (gpus > 0 && !model.empty()) {
      const auto found = std::find_if(fleet.gpu_types.begin(), fleet.gpu_types.end(),
                                      [model](const GpuType& type) { return type.name == model; });
      gpu_type = static_cast<std::uint32_t>(found - fleet.gpu_types.begin());
      if (found == fleet.gpu_types.end()) {
        if (fleet.gpu_types.size() == 64) return "more than 64 GPU types";
        GpuType type;
        type.name = type.title = std::string(model);
        fleet.gpu_types.push_back(std::move(type));
      }
    }
    const auto [entry, is_new] =
        types_.try_emplace({gpu_type, gpus, cpu_milli, memory_mib}, fleet.node_types.size());
    if (is_new) {
      if (fleet.node_types.size() > 0xffff) return "more than 65,536 kinds of nodes";
      NodeType type;
      type.name = fmt::format("{}{}c-{}g",
                              gpus == 0 ? "" : fmt::format("{}x{}-", gpus, model.empty() ? "gpu" : model),
                              cpu_milli / 1000, memory_mib / 1024);
      type.gpu_type = gpu_type;
      type.gpus = static_cast<std::uint32_t>(gpus);
      type.cpu_milli = cpu_milli;
      type.memory_mib = memory_mib;
      fleet.node_types.push_back(std::move(type));
    }
    fleet.node_type_of.push_back(static_cast<std::uint16_t>(entry->second));
    return {};
  }

  Fleet fleet;

 private:
  std::map<std::tuple<std::uint32_t, std::int64_t, std::int64_t, std::int64_t>, std::size_t> types_;
};

enum class Kind : std::uint8_t { kOpenb, kPai, kPhillyClusters, kPhillyMachines, kNone };

Kind kind_of(const Names& names) {
  const auto has = [&names](std::string_view name) { return column_named(names, name) >= 0; };
  if (has("sn") && has("gpu")) return Kind::kOpenb;
  if (has("machine") && has("cap_gpu")) return Kind::kPai;
  if (has("vc") && has("node num")) return Kind::kPhillyClusters;
  if (has("machineId") && has("number of GPUs")) return Kind::kPhillyMachines;
  return Kind::kNone;
}

class Reader {
 public:
  explicit Reader(ByteSource& source) : name_(source.name()), rows_(csv_rows(source)) {}

  Result<Fleet> read() {
    bool header = true;
    for (;;) {
      const Result<bool> there = rows_->next(row_);
      if (!there) return fail(there.error().message);
      if (!*there) break;
      if (row_.problem != nullptr) return wrong(row_.problem);
      if (header) {
        header = false;
        const Result<bool> is_data = take_header();
        if (!is_data) return fail(is_data.error().message);
        if (!*is_data) continue;
      }
      if (row_.fields.size() != names_.size()) {
        return wrong(fmt::format("{} columns where the header has {}", row_.fields.size(), names_.size()));
      }
      if (const std::string problem = take_row(); !problem.empty()) return wrong(problem);
    }
    Fleet& fleet = builder_.fleet;
    if (fleet.nodes() == 0) return fail(fmt::format("{}: names no nodes", name_));
    fleet.name = name_;
    if (!halls_.empty()) {
      starts_.push_back(fleet.nodes());
      fleet.fabric.push_back(Partition{"hall", starts_});
      fleet.feed.push_back(
          FeedLevel{Partition{"hall", starts_}, std::vector<Milliwatts>(halls_.size()), halls_});
    }
    fleet.fabric.push_back(Partition{"fleet", {0, fleet.nodes()}});
    if (const std::string problem = check_fleet(fleet); !problem.empty())
      return fail(fmt::format("{}: {}", name_, problem));
    return std::move(fleet);
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view problem) const {
    return fail(
        fmt::format("{}:{}: {}; correct the row `{}`", name_, row_.line, problem, excerpt(row_.text)));
  }

  /// True where the first row is data already: the table that is published without a header.
  Result<bool> take_header() {
    for (const std::string_view field : row_.fields) names_.emplace_back(trimmed(field));
    kind_ = kind_of(names_);
    if (kind_ != Kind::kNone) return false;
    if (names_.size() == 5 && parse_thousandths(names_[2]) && parse_thousandths(names_[4])) {
      names_ = {"machine", "gpu_type", "cap_cpu", "cap_mem", "cap_gpu"};
      kind_ = Kind::kPai;
      return true;
    }
    return wrong(
        "no node list begins so; known are `sn,cpu_milli,memory_mib,gpu,model`, "
        "`machine,gpu_type,cap_cpu,cap_mem,"
        "cap_gpu`, `vc,node num` and `machineId,number of GPUs,single GPU mem`");
  }

  /// The number in a column, in thousandths; 0 where there is no such column or nothing in it.
  std::optional<std::int64_t> number(std::string_view name) const {
    const int index = column_named(names_, name);
    if (index < 0) return 0;
    const std::string_view text = trimmed(row_.fields[static_cast<std::size_t>(index)]);
    return is_absent(text) ? 0 : parse_thousandths(text);
  }
  [[nodiscard]] std::string_view text(std::string_view name) const {
    const int index = column_named(names_, name);
    const std::string_view text =
        index < 0 ? std::string_view() : trimmed(row_.fields[static_cast<std::size_t>(index)]);
    return is_absent(text) ? std::string_view() : text;
  }

  std::string take_row() {
    if (kind_ == Kind::kPhillyClusters) return take_cluster();
    const bool openb = kind_ == Kind::kOpenb;
    const bool pai = kind_ == Kind::kPai;
    const std::optional<std::int64_t> gpus = number(openb ? "gpu" : pai ? "cap_gpu" : "number of GPUs");
    const std::optional<std::int64_t> cpu = number(openb ? "cpu_milli" : "cap_cpu");
    const std::optional<std::int64_t> memory = number(openb ? "memory_mib" : "cap_mem");
    if (!gpus || !cpu || !memory) return "a number is not readable";
    if (*gpus % 1000 != 0) return "a node has whole GPUs";
    const std::string_view model = text(openb ? "model" : "gpu_type");
    // openb counts thousandths of cores and MiB, PAI cores and GB.
    return openb ? builder_.add(model, *gpus / 1000, *cpu / 1000, *memory / 1000)
                 : builder_.add(model == "CPU" ? "" : model, *gpus / 1000, *cpu,
                                *memory > (std::int64_t{1} << 50) ? -1 : *memory * 1024 / 1000);
  }

  std::string take_cluster() {
    const std::optional<std::int64_t> nodes = number("node num");
    if (!nodes || *nodes % 1000 != 0 || *nodes < 0 || *nodes / 1000 > kMostNodes)
      return "`node num` is no number of nodes";
    if (*nodes == 0) return {};
    starts_.push_back(builder_.fleet.nodes());
    halls_.emplace_back(text("vc"));
    for (std::int64_t i = 0; i < *nodes / 1000; ++i) {
      if (std::string problem = builder_.add("", kPhillyGpusPerNode, 0, 0); !problem.empty()) return problem;
    }
    return {};
  }

  std::string name_;
  std::unique_ptr<RowSource> rows_;
  Row row_;
  Names names_;
  Kind kind_ = Kind::kNone;
  Builder builder_;
  std::vector<std::uint32_t> starts_;  // Per hall, its first node.
  Names halls_;
};

}  // namespace

bool is_node_list(std::string_view beginning) {
  if (beginning.starts_with("\xef\xbb\xbf")) beginning.remove_prefix(3);
  std::string_view line = beginning.substr(0, beginning.find_first_of("\r\n"));
  Names names;
  for (;;) {
    const std::size_t size = std::min(line.size(), line.find(','));
    names.emplace_back(trimmed(line.substr(0, size)));
    if (size == line.size()) return kind_of(names) != Kind::kNone;
    line.remove_prefix(size + 1);
  }
}

Result<Fleet> read_node_list(std::unique_ptr<ByteSource> source) { return Reader(*source).read(); }

Result<Fleet> read_node_list(const std::string& path) {
  Result<std::unique_ptr<ByteSource>> source = open_file(path);
  if (!source) return fail(source.error().message);
  return read_node_list(std::move(*source));
}

}  // namespace gw::workload
