// YAML to price plans.
#include "live/price_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "spec/record_reader.h"
#include "spec/yaml_tree.h"

namespace gw::live {
namespace {

constexpr double kMost = 1e6;  // Euros an hour.

MicroEuros micro(double euros) { return MicroEuros{std::llround(euros * 1e6)}; }

}  // namespace

bool looks_like_prices(std::string_view text) {
  spec::Findings findings("");
  const std::optional<spec::YamlTree> tree = spec::YamlTree::parse(text, findings);
  const spec::YamlNode* prices = tree ? tree->root().find("prices") : nullptr;
  if (prices == nullptr || tree->root().find("fleet") != nullptr) return false;
  if (tree->root().find("gigawerk") != nullptr) return true;
  return std::any_of(prices->items.begin(), prices->items.end(), [](const spec::YamlNode* plan) {
    return plan->kind == spec::YamlNode::Kind::kMap && plan->find("plan") != nullptr;
  });
}

spec::Checked<Prices> parse_prices(std::string_view text, const std::string& file) {
  spec::Findings findings(file);
  const std::optional<spec::YamlTree> tree = spec::YamlTree::parse(text, findings);
  if (!tree) return std::unexpected(findings.take());
  PriceFile read;
  spec::RecordReader(findings).read_record("prices", tree->root(), read);
  Prices prices;
  for (const PricePlanRecord& record : read.prices) {
    PricePlan plan;
    for (const spec::Shares::Entry& entry : record.gpu_hour.entries) {
      if (entry.share > kMost)
        findings.error(entry.at, fmt::format("\"{}\" costs more than {:g} euros an hour", entry.name, kMost));
      plan.per_gpu_hour.emplace(entry.name, micro(entry.share));
    }
    plan.per_other_gpu_hour = micro(record.other_gpu_hour);
    plan.per_core_hour = micro(record.core_hour);
    if (!prices.emplace(record.plan, std::move(plan)).second)
      findings.error(record.at, fmt::format("plan \"{}\" stands here a second time; keep one", record.plan));
  }
  if (findings.failed()) return std::unexpected(findings.take());
  return prices;
}

spec::Checked<Prices> read_prices(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) {
    spec::Findings findings(path);
    findings.error({}, "cannot be read");
    return std::unexpected(findings.take());
  }
  return parse_prices(text, path);
}

}  // namespace gw::live
