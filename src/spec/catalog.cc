// Finds and reads the catalog's files.
#include "spec/catalog.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

#include "spec/catalog_fields.h"
#include "spec/near_miss.h"
#include "spec/record_reader.h"

namespace gw::spec {

std::string_view entry_name(const GpuEntry& entry) { return entry.type.name; }
std::string_view entry_name(const NodeEntry& entry) { return entry.name; }
std::string_view entry_name(const ModelEntry& entry) { return entry.name; }
std::string_view entry_name(const RhythmSpec& entry) { return entry.name; }
std::string_view entry_name(const JobClassSpec& entry) { return entry.job_class.name; }
std::string_view entry_name(const CountryGroupSpec& entry) { return entry.name; }
std::string_view entry_name(const RuleSpec& entry) { return entry.name; }

namespace {

constexpr const char* kProbe = "gpus.yaml";

std::filesystem::path above(std::filesystem::path folder) {
  std::error_code error;
  while (!folder.empty()) {
    if (std::filesystem::exists(folder / "catalog" / kProbe, error)) return folder / "catalog";
    if (folder == folder.root_path()) break;
    folder = folder.parent_path();
  }
  return {};
}

template <class Entry>
void check_unique(const std::vector<Entry>& entries, Findings& findings) {
  std::map<std::string_view, Mark> seen;
  for (const Entry& entry : entries) {
    const auto [first, is_new] = seen.try_emplace(entry_name(entry), entry.at);
    if (!is_new)
      findings.error(entry.at, fmt::format("\"{}\" is defined twice, first in line {}; rename or remove one",
                                           entry_name(entry), first->second.line));
  }
}

/// The units of an item, without their currency.
std::string_view price_basis(std::string_view item) {
  if (item == "energy") return "/MWh";
  if (item == "staff") return "/MW/year";
  if (item == "transit") return "/GPU/year";
  if (item == "maintenance") return "share/year";
  if (item == "rental") return "/GPU-h";
  if (item == "exchange") return "USD/EUR";
  return item == "building" || item == "cooling" || item == "grid" || item == "land" ? "/MW" : "/GPU";
}

void check_prices(std::vector<PriceEntry>& prices, Findings& findings) {
  std::map<std::string, Mark> seen;
  for (PriceEntry& price : prices) {
    if (price.item.empty() || price.unit.empty()) continue;  // Told already.
    const std::string_view basis = price_basis(price.item);
    const bool fixed = basis.front() != '/';
    if (fixed ? price.unit != basis : price.unit.substr(3) != basis)
      findings.error(
          price.at,
          fmt::format("\"unit\" of {} must be {}, not \"{}\"", price.item,
                      fixed ? std::string(basis) : fmt::format("USD{0} or EUR{0}", basis), price.unit));
    const std::optional<Day> day = parse_day(price.date);
    if (!day && !price.date.empty())
      findings.error(price.at,
                     fmt::format("\"date\" must be a day such as 2025-08-28, not \"{}\"", price.date));
    price.day = day.value_or(0);
    const bool may_be_negative = price.item == "energy";
    if (price.value < 0 && !may_be_negative)
      findings.error(price.at, fmt::format("\"value\" of {} must not be negative", price.item));
    if (price.item == "exchange" && price.value == 0)
      findings.error(price.at, "\"value\" of exchange must be above zero: dollars for a euro");
    if (price.low.value_or(price.value) > price.value || price.high.value_or(price.value) < price.value)
      findings.error(price.at, "\"low\" must not be above \"value\", nor \"high\" below it");
    const auto [first, is_new] =
        seen.try_emplace(fmt::format("{} {} {}", price.item, price.gpu.value, price.date), price.at);
    if (!is_new)
      findings.error(price.at, fmt::format("{} has two prices of {}, the first in line {}; remove one",
                                           price.item, price.date, first->second.line));
  }
}

template <class Entry>
void append(std::vector<Entry>& to, std::vector<Entry>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

std::filesystem::path default_catalog_folder() {
  if (const char* share = std::getenv("GIGAWERK_SHARE"); share != nullptr && *share != '\0')
    return std::filesystem::path(share) / "catalog";
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const std::filesystem::path folder = program.parent_path();
    const std::filesystem::path installed = folder.parent_path() / "share" / "gigawerk" / "catalog";
    if (std::filesystem::exists(installed / kProbe, error)) return installed;
    if (std::filesystem::path found = above(folder); !found.empty()) return found;
  }
  const std::filesystem::path working = std::filesystem::current_path(error);
  return error ? std::filesystem::path() : above(working);
}

Checked<std::string> read_text_file(const std::string& path) {
  const auto problem = [&](std::string message) {
    return std::unexpected(std::vector<Diagnostic>{{Severity::kError, path, {}, std::move(message)}});
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return problem("this is a folder; name a file in it");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return problem(fmt::format("cannot open: {}; check the path", std::strerror(errno)));
  constexpr std::size_t kMost =
      (std::size_t{16} << 20) + 1;  // One more than the tree's limit, so that it can refuse.
  std::string text;
  std::array<char, 65536> buffer{};
  while (stream && text.size() < kMost) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    text.append(buffer.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) return problem("cannot be read to its end; check the disk");
  return text;
}

bool looks_like_catalog(std::string_view text) {
  Findings findings("");
  const std::optional<YamlTree> tree = YamlTree::parse(text, findings);
  if (!tree) return false;
  const YamlNode& root = tree->root();
  if (root.find("gigawerk") != nullptr || root.find("fleet") != nullptr) return false;
  for (const std::string_view key :
       {"gpus", "nodes", "models", "rhythms", "classes", "country_groups", "prices"}) {
    if (root.find(key) != nullptr) return true;
  }
  return false;
}

Checked<CatalogFile> parse_catalog_file(std::string_view text, const std::string& file) {
  Findings findings(file);
  CatalogFile contents;
  if (const std::optional<YamlTree> tree = YamlTree::parse(text, findings)) {
    RecordReader reader(findings);
    reader.read_record("catalog", tree->root(), contents);
    check_unique(contents.gpus, findings);
    check_unique(contents.nodes, findings);
    check_unique(contents.models, findings);
    check_unique(contents.rhythms, findings);
    check_unique(contents.classes, findings);
    check_unique(contents.country_groups, findings);
    check_unique(contents.rules, findings);
    check_prices(contents.prices, findings);
  }
  if (findings.failed()) return std::unexpected(findings.take());
  return contents;
}

Checked<Catalog> read_catalog(const std::filesystem::path& folder) {
  const std::filesystem::path from = folder.empty() ? default_catalog_folder() : folder;
  if (from.empty()) {
    return std::unexpected(std::vector<Diagnostic>{
        {Severity::kError,
         "catalog",
         {},
         "not found; set GIGAWERK_SHARE to the folder that holds catalog/gpus.yaml"}});
  }
  Catalog catalog;
  std::vector<Diagnostic> problems;
  for (const std::string_view name : {"gpus.yaml", "nodes.yaml", "models.yaml", "job-classes.yaml",
                                      "jurisdictions.yaml", "rules.yaml", "prices.yaml"}) {
    const bool optional = name != "gpus.yaml" && name != "nodes.yaml";  // A fleet needs no others.
    const std::string path = (from / name).string();
    std::error_code error;
    if (optional && !std::filesystem::exists(path, error)) continue;
    const Checked<std::string> text = read_text_file(path);
    Checked<CatalogFile> file = text ? parse_catalog_file(*text, path) : std::unexpected(text.error());
    if (!file) {
      append(problems, std::move(file.error()));
      continue;
    }
    append(catalog.gpus, std::move(file->gpus));
    append(catalog.nodes, std::move(file->nodes));
    append(catalog.models, std::move(file->models));
    append(catalog.rhythms, std::move(file->rhythms));
    append(catalog.classes, std::move(file->classes));
    append(catalog.country_groups, std::move(file->country_groups));
    append(catalog.rules, std::move(file->rules));
    Findings findings(path);
    for (const PriceEntry& price : file->prices) {
      if (price.gpu.value.empty() || find_entry(catalog.gpus, price.gpu.value) != nullptr) continue;
      findings.error(price.gpu.at, fmt::format("unknown GPU type \"{}\"{}", price.gpu.value,
                                               suggestion(price.gpu.value, entry_names(catalog.gpus))));
    }
    append(problems, findings.take());
    append(catalog.prices, std::move(file->prices));
    if (name != "nodes.yaml") continue;
    for (const NodeEntry& node : catalog.nodes) {
      if (node.gpu.value.empty() || find_entry(catalog.gpus, node.gpu.value) != nullptr) continue;
      findings.error(node.gpu.at, fmt::format("unknown GPU type \"{}\"{}", node.gpu.value,
                                              suggestion(node.gpu.value, entry_names(catalog.gpus))));
    }
    append(problems, findings.take());
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return catalog;
}

// --- Parameters ---

namespace {

double attention_parameters(const ModelEntry& model) {
  const double hidden = model.hidden;
  const double heads = model.heads;
  if (model.latent_attention) {
    // DeepSeek-V2, arXiv:2405.04434, equations 9 to 19; two norms on the compressed vectors.
    const LatentAttentionSpec& latent = *model.latent_attention;
    const double query = hidden * latent.query_rank + latent.query_rank +
                         double{1} * latent.query_rank * heads * (latent.head_plain + latent.head_rotary);
    const double key_value =
        hidden * (latent.key_value_rank + latent.head_rotary) + latent.key_value_rank +
        double{1} * latent.key_value_rank * heads * (latent.head_plain + latent.head_value);
    return query + key_value + heads * latent.head_value * hidden;
  }
  const double head_size = model.head_size ? *model.head_size : hidden / heads;
  const double kv_heads = model.kv_heads.value_or(model.heads);
  double parameters = hidden * head_size * (2 * heads + 2 * kv_heads);
  if (model.biases) parameters += head_size * (heads + 2 * kv_heads) + hidden;
  if (model.query_key_value_biases) parameters += head_size * (heads + 2 * kv_heads);
  if (model.query_key_norms) parameters += 2 * head_size;
  return parameters;
}

double feed_forward_parameters(const ModelEntry& model, double ffn) {
  return double{1} * model.hidden * ffn * (model.gated ? 3 : 2) + (model.biases ? ffn + model.hidden : 0);
}

}  // namespace

double ModelEntry::computed_parameters(bool active_only) const {
  const double norms = double{2} * hidden * (biases ? 2 : 1);
  double total = double{1} * vocabulary * hidden * (tied_embeddings ? 1 : 2);
  total += double{1} * learned_positions * hidden + hidden * (biases ? 2 : 1);
  for (std::uint32_t layer = 0; layer < layers; ++layer) {
    total += attention_parameters(*this) + norms;
    if (experts && layer >= experts->dense_layers) {
      const double used = (active_only ? experts->active : experts->count) + experts->shared;
      total += used * feed_forward_parameters(*this, experts->ffn) + double{1} * hidden * experts->count;
    } else {
      total += feed_forward_parameters(*this, ffn);
    }
  }
  return total;
}

}  // namespace gw::spec
