// Feeds any bytes to the readers of published measurements: the first byte picks training or collectives, the
// rest is a table, lines of fields between commas. A row without a reason must be one that the models take.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "physics/sample_gpu.h"
#include "physics/validation_collectives.h"
#include "physics/validation_training.h"

namespace {

using namespace gw::physics;

std::vector<std::string> pieces(std::string_view text, char between) {
  std::vector<std::string> all;
  while (true) {
    const std::size_t at = text.find(between);
    all.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return all;
    text.remove_prefix(at + 1);
  }
}

/// Types as a catalog has them: rows name them, or sizes that are theirs.
KnownTypes known_types() {
  KnownTypes known;
  Accelerator gpu = sample_h100();
  known.accelerators.push_back(gpu);
  gpu.name = "gb200";
  gpu.generation = Generation::kBlackwell;
  gpu.dense_4bit_flops = 10e15;
  gpu.scaleup_domain = 72;
  known.accelerators.push_back(gpu);
  return known;
}

void check(const ValidationReport& report, std::size_t rows) {
  std::size_t seen = report.rows.size();
  for (const LeftOut& each : report.left_out) seen += each.rows;
  GW_CHECK(seen == rows);
  for (const Comparison& row : report.rows) GW_CHECK(row.measured > 0 && row.predicted > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 65536) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  PublishedTable table;
  for (const std::string& line : pieces(text, '\n')) {
    std::vector<std::string> fields = pieces(line, ',');
    if (table.columns.empty())
      table.columns = std::move(fields);
    else
      table.rows.push_back(std::move(fields));
  }
  static const KnownTypes known = known_types();
  if (data[0] == 't') {
    const auto rows = read_published_training(table, known);
    if (rows) check(validate_training(*rows, published_calibration()), table.rows.size());
  } else if (data[0] == 'c') {
    const auto rows = read_published_collectives(table, known);
    if (rows) check(validate_collectives(*rows), table.rows.size());
  }
  return 0;
}
