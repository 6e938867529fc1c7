// Visitors over the described records that write JSON Schema and Markdown.
#include "spec/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>
#include <vector>

#include "spec/demand_fields.h"

namespace gw::spec {

namespace {

using Json = nlohmann::ordered_json;

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

template <class T>
struct Inner {
  using Type = T;
};
template <class T>
struct Inner<Located<T>> : Inner<T> {};
template <class T>
struct Inner<std::optional<T>> : Inner<T> {};

template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOverride = false;
template <class T>
inline constexpr bool kIsOverride<Override<T>> = true;
template <class T>
struct OverrideOf;
template <class T>
struct OverrideOf<Override<T>> {
  using Type = T;
};
template <class T>
inline constexpr bool kIsAmount = kUnitOf<T> != Unit::kNone;

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

Json default_json(const std::string& value, const Rule&) { return value.empty() ? Json() : Json(value); }
Json default_json(bool value, const Rule&) { return value; }
Json default_json(double value, const Rule& rule) {
  if (rule.unit != Unit::kNone) return amount_text(value, rule.unit);
  return value == std::floor(value) && std::abs(value) < 1e15 ? Json(static_cast<std::int64_t>(value))
                                                              : Json(value);
}
template <class T>
Json default_json(const T& value, const Rule&) {
  if constexpr (std::is_integral_v<T>) return value;
  if constexpr (kIsAmount<T>) return amount_text(value);
  return {};
}

// --- JSON Schema ---

class SchemaWriter {
 public:
  /// The schema of record T as a value; its definition is added at the first use.
  template <Record T>
  Json reference(bool partial = false) {
    const std::string name = partial ? fmt::format("{}_change", T::kRecord) : std::string(T::kRecord);
    if (defined_.insert(name).second) {
      defs_[name] = nullptr;  // Keeps the order of first use, and ends recursion.
      defs_[name] = definition<T>(partial);
    }
    return {{"$ref", "#/$defs/" + name}};
  }

  template <Record T>
  std::string file(std::string_view title) {
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
    schema.update(definition<T>(false));
    schema["$defs"] = defs_;
    return schema.dump(2) + "\n";
  }

  template <class T>
  Json value(const T& example, const Rule& rule) {
    using Plain = typename Inner<T>::Type;
    if constexpr (!std::is_same_v<Plain, T>) {
      return value(Plain{}, rule);
    } else if constexpr (Record<T>) {
      return reference<T>();
    } else if constexpr (kIsOverride<T>) {
      return reference<typename OverrideOf<T>::Type>(true);
    } else if constexpr (kIsList<T>) {
      return list(typename T::value_type{}, rule);
    } else if constexpr (std::is_same_v<T, Shares>) {
      Json share = {{"type", "number"}, {"minimum", 0}, {"maximum", 1e9}};
      return {{"type", "object"}, {"additionalProperties", share}, {"minProperties", rule.items_min}};
    } else if constexpr (std::is_same_v<T, std::string>) {
      return text(rule);
    } else if constexpr (std::is_same_v<T, bool>) {
      return {{"type", "boolean"}};
    } else if constexpr (kIsAmount<T>) {
      return amount(kUnitOf<T>);
    } else if constexpr (std::is_integral_v<T>) {
      return whole_number(rule, static_cast<double>(std::numeric_limits<T>::min()),
                          static_cast<double>(std::numeric_limits<T>::max()));
    } else {
      static_assert(std::is_same_v<T, double>);
      static_cast<void>(example);
      return rule.unit == Unit::kNone ? number(rule) : amount(rule.unit);
    }
  }

 private:
  class Fields {
   public:
    Fields(SchemaWriter& writer, bool partial) : writer_(writer), partial_(partial) {}

    template <class T>
    void field(std::string_view name, T& member, const Rule& rule) {
      Json schema = writer_.value(member, rule);
      schema["description"] = rule.help;
      if (!rule.required && rule.default_text.empty()) {
        if (Json standard = default_json(member, rule); !standard.is_null())
          schema["default"] = std::move(standard);
      }
      if (rule.required && (!partial_ || name == "name")) required_.push_back(name);
      if (name == shorthand_) short_form_ = schema;
      properties_[name] = std::move(schema);
    }
    void shorthand(std::string_view name) { shorthand_ = name; }
    void exactly_one(std::initializer_list<std::string_view> names) {
      Json choices = Json::array();
      for (const std::string_view name : names) choices.push_back({{"required", {name}}});
      if (!partial_) one_of_ = std::move(choices);
    }

    Json schema(std::string_view help) const {
      Json object = {{"type", "object"}, {"description", help}, {"properties", properties_}};
      if (!required_.empty()) object["required"] = required_;
      if (!one_of_.is_null()) object["oneOf"] = one_of_;
      object["additionalProperties"] = false;
      if (short_form_.is_null()) return object;
      return {{"description", help}, {"anyOf", {short_form_, object}}};
    }

   private:
    SchemaWriter& writer_;
    bool partial_;
    Json properties_ = Json::object();
    Json required_ = Json::array();
    Json one_of_;
    Json short_form_;
    std::string_view shorthand_;
  };

  template <Record T>
  Json definition(bool partial) {
    T example;
    Fields fields(*this, partial);
    describe(fields, example);
    return fields.schema(T::kHelp);
  }

  template <class Item>
  Json list(const Item& item, const Rule& rule) {
    Json array = {{"type", "array"}, {"items", value(item, rule)}};
    if (rule.items_min > 0) array["minItems"] = rule.items_min;
    if (rule.items_max != std::numeric_limits<std::size_t>::max()) array["maxItems"] = rule.items_max;
    if constexpr (Record<Item>) return {{"anyOf", {array, value(item, rule)}}};
    return array;
  }

  static Json text(const Rule& rule) {
    if (!rule.choices.empty()) return {{"type", "string"}, {"enum", rule.choices}};
    const std::string_view pattern = text_pattern(rule.text);
    if (!pattern.empty()) return {{"type", "string"}, {"pattern", pattern}};
    return {{"type", "string"}, {"minLength", 1}};
  }

  static Json amount(Unit unit) {
    return {{"type", "string"}, {"pattern", unit_pattern(unit)}, {"examples", {unit_example(unit)}}};
  }

  static Json whole_number(const Rule& rule, double low, double high) {
    constexpr double kExact = 9007199254740991.0;
    const double min = std::isnan(rule.min) ? std::max(low, -kExact) : rule.min;
    const double max = std::isnan(rule.max) ? std::min(high, kExact) : rule.max;
    return {{"type", "integer"},
            {"minimum", static_cast<std::int64_t>(min)},
            {"maximum", static_cast<std::int64_t>(max)}};
  }

  static Json number(const Rule& rule) {
    Json schema = {{"type", "number"}};
    if (!std::isnan(rule.min)) schema[rule.above_min ? "exclusiveMinimum" : "minimum"] = rule.min;
    if (!std::isnan(rule.max)) schema["maximum"] = rule.max;
    return schema;
  }

  std::set<std::string> defined_;
  Json defs_ = Json::object();
};

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
      } else if constexpr (std::is_same_v<T, std::string>) {
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
  SchemaWriter writer;
  if (kind == FileKind::kScenario) return writer.file<ScenarioFile>("Gigawerk scenario");
  if (kind == FileKind::kFleet) return writer.file<FleetFile>("Gigawerk fleet");
  return writer.file<CatalogFile>("Gigawerk catalog");
}

std::string reference_markdown(FileKind kind) {
  ReferenceWriter writer;
  if (kind == FileKind::kScenario) writer.record<ScenarioFile>();
  if (kind == FileKind::kFleet) writer.record<FleetFile>();
  if (kind == FileKind::kCatalog) writer.record<CatalogFile>();
  return writer.markdown();
}

}  // namespace gw::spec
