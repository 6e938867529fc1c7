// The JSON Schemas of whole files, and the visitor over described records that writes Markdown.
#include "spec/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <set>
#include <type_traits>
#include <vector>

#include "spec/demand_fields.h"
#include "spec/job_fields.h"
#include "spec/schema_writer.h"

namespace gw::spec {

namespace {

using schema::Inner;
using schema::kIsAmount;
using schema::kIsList;
using schema::kIsOverride;
using schema::OverrideOf;

/// A file that holds a fleet and no demand.
struct FleetFile {
  static constexpr std::string_view kRecord = "fleet_file";
  static constexpr std::string_view kHelp = "Machines without demand, to run recorded workloads on.";
  ScenarioFile scenario;
};

template <class Visitor>
void describe(Visitor& visit, FleetFile& file) {
  describe_heading(visit, file.scenario);
}

/// The documented default of a field: from its rule, else from a default-constructed record; empty: none to
/// tell.
template <class T>
std::string default_text(const T& value, const Rule& rule) {
  if (!rule.default_text.empty()) return std::string(rule.default_text);
  if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    return fmt::format("{}", value);
  } else if constexpr (std::is_same_v<T, double>) {
    return amount_text(value, rule.unit);
  } else if constexpr (kIsAmount<T>) {
    return amount_text(value);
  }
  return {};
}

// --- Markdown ---

class ReferenceWriter {
 public:
  template <Record T>
  void record() {
    if (!seen_.insert(std::string(T::kRecord)).second) return;
    T example;
    Fields fields(*this);
    describe(fields, example);
    const std::size_t place = place_++;
    sections_.resize(std::max(sections_.size(), place + 1));
    sections_[place] =
        fmt::format("### {}\n\n{}{}\n\n| key | takes | default | meaning |\n|---|---|---|---|\n{}",
                    T::kRecord, T::kHelp, fields.notes, fields.rows);
    for (void (*next)(ReferenceWriter&) : fields.children) next(*this);
  }

  [[nodiscard]] std::string markdown() const { return fmt::format("{}", fmt::join(sections_, "\n")); }

 private:
  struct Fields {
    explicit Fields(ReferenceWriter& reference) : writer(reference) {}

    template <class T>
    void field(std::string_view name, T& member, const Rule& rule) {
      const std::string standard = default_text(member, rule);
      rows += fmt::format("| `{}` | {} | {} | {} |\n", name, takes<T>(rule),
                          rule.required ? "**required**" : standard, escaped(rule.help));
    }
    void shorthand(std::string_view name) { notes += fmt::format(" A single text sets `{}`.", name); }
    void exactly_one(std::initializer_list<std::string_view> names) {
      notes += fmt::format(" Exactly one of `{}`.", fmt::join(names, "`, `"));
    }
    void at_most_one(std::initializer_list<std::string_view> names) {
      notes += fmt::format(" At most one of `{}`.", fmt::join(names, "`, `"));
    }

    template <class T>
    std::string takes(const Rule& rule) {
      using Plain = typename Inner<T>::Type;
      if constexpr (!std::is_same_v<Plain, T>) {
        return takes<Plain>(rule);
      } else if constexpr (Record<T>) {
        children.push_back([](ReferenceWriter& next) { next.record<T>(); });
        return fmt::format("[{0}](#{0})", T::kRecord);
      } else if constexpr (kIsOverride<T>) {
        return takes<typename OverrideOf<T>::Type>(rule);
      } else if constexpr (kIsList<T>) {
        using Item = typename T::value_type;
        const std::string_view or_one = Record<Item> ? ", or one" : "";
        return fmt::format("list of {}{}", takes<Item>(rule), or_one);
      } else if constexpr (std::is_same_v<T, Shares>) {
        return "shares by name";
      } else if constexpr (std::is_same_v<T, Texts>) {
        return "texts by name";
      } else if constexpr (std::is_same_v<T, std::string>) {
        if (!rule.example.empty()) return fmt::format("`{}`", escaped(rule.example));
        if (!rule.choices.empty()) return fmt::format("`{}`", fmt::join(rule.choices, "`, `"));
        return rule.text == Text::kName      ? "name"
               : rule.text == Text::kCountry ? "two capital letters"
                                             : "text";
      } else if constexpr (std::is_same_v<T, bool>) {
        return "`true`, `false`";
      } else if constexpr (kIsAmount<T>) {
        return std::string(unit_example(kUnitOf<T>));
      } else if constexpr (std::is_integral_v<T>) {
        return "whole number" + bounds(rule);
      } else {
        return rule.unit == Unit::kNone ? "number" + bounds(rule) : std::string(unit_example(rule.unit));
      }
    }

    static std::string bounds(const Rule& rule) {
      std::string text;
      if (!std::isnan(rule.min)) text += fmt::format(" {} {}", rule.above_min ? "above" : "from", rule.min);
      if (!std::isnan(rule.max)) text += fmt::format(" {} {}", rule.above_min ? "up to" : "to", rule.max);
      return text;
    }

    static std::string escaped(std::string_view help) {
      std::string text;
      for (const char c : help) text += c == '|' ? std::string("\\|") : std::string(1, c);
      return text;
    }

    ReferenceWriter& writer;
    std::string rows;
    std::string notes;
    std::vector<void (*)(ReferenceWriter&)> children;
  };

  std::set<std::string> seen_;
  std::vector<std::string> sections_;
  std::size_t place_ = 0;
};

}  // namespace

std::string json_schema(FileKind kind) {
  schema::SchemaWriter writer;
  if (kind == FileKind::kScenario) return writer.file<ScenarioFile>("Gigawerk scenario");
  if (kind == FileKind::kJob) return writer.file<JobFile>("Gigawerk job");
  if (kind == FileKind::kFleet) return writer.file<FleetFile>("Gigawerk fleet");
  return writer.file<CatalogFile>("Gigawerk catalog");
}

std::string reference_markdown(FileKind kind) {
  ReferenceWriter writer;
  if (kind == FileKind::kScenario) writer.record<ScenarioFile>();
  if (kind == FileKind::kFleet) writer.record<FleetFile>();
  if (kind == FileKind::kCatalog) writer.record<CatalogFile>();
  if (kind == FileKind::kJob) writer.record<JobFile>();
  return writer.markdown();
}

}  // namespace gw::spec
