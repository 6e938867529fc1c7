// SchemaWriter: a described record as JSON Schema (draft 2020-12).
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "spec/described.h"

namespace gw::spec {

namespace schema {

using Json = nlohmann::ordered_json;

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

inline Json default_json(const std::string& value, const Rule&) {
  return value.empty() ? Json() : Json(value);
}
inline Json default_json(bool value, const Rule&) { return value; }
inline Json default_json(double value, const Rule& rule) {
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

class SchemaWriter {
 public:
  /// `place`: the JSON pointer under which the schema will stand in its document; references count from
  /// there.
  explicit SchemaWriter(std::string_view place = "#") : place_(place) {}

  /// The schema of record T as a value; its definition is added at the first use.
  template <Record T>
  Json reference(bool partial = false) {
    const std::string name = partial ? fmt::format("{}_change", T::kRecord) : std::string(T::kRecord);
    if (defined_.insert(name).second) {
      defs_[name] = nullptr;  // Keeps the order of first use, and ends recursion.
      defs_[name] = definition<T>(partial);
    }
    return {{"$ref", fmt::format("{}/$defs/{}", place_, name)}};
  }

  template <Record T>
  std::string file(std::string_view title) {
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}};
    schema.update(definition<T>(false));
    schema["$defs"] = defs_;
    return schema.dump(2) + "\n";
  }

  /// The schema of T alone, with the definitions that it refers to.
  template <Record T>
  Json object() {
    Json schema = definition<T>(false);
    if (!defs_.empty()) schema["$defs"] = defs_;
    return schema;
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
    } else if constexpr (std::is_same_v<T, Texts>) {
      Json texts = {{"type", "object"}};
      if (rule.names != Text::kAny) texts["propertyNames"] = {{"pattern", text_pattern(rule.names)}};
      texts["additionalProperties"] = text(rule);
      return texts;
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
    void at_most_one(std::initializer_list<std::string_view> names) {
      for (auto first = names.begin(); first != names.end(); ++first) {
        for (auto second = first + 1; second != names.end(); ++second)
          none_of_.push_back({{"not", {{"required", {*first, *second}}}}});
      }
    }

    Json schema(std::string_view help) const {
      Json object = {{"type", "object"}, {"description", help}, {"properties", properties_}};
      if (!required_.empty()) object["required"] = required_;
      if (!one_of_.is_null()) object["oneOf"] = one_of_;
      if (!none_of_.empty()) object["allOf"] = none_of_;
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
    Json none_of_ = Json::array();
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
    Json schema = {{"type", "string"}};
    const std::string_view pattern = rule.pattern.empty() ? text_pattern(rule.text) : rule.pattern;
    const bool or_nothing = rule.empty_allowed && !pattern.empty() && rule.text != Text::kLine;
    if (!pattern.empty())
      schema["pattern"] = or_nothing ? "^$|" + std::string(pattern) : std::string(pattern);
    // A length in JSON Schema counts characters, of which a text has no more than bytes.
    if (!rule.empty_allowed && (pattern.empty() || rule.text == Text::kLine)) schema["minLength"] = 1;
    if (rule.bytes_max != std::numeric_limits<std::size_t>::max()) schema["maxLength"] = rule.bytes_max;
    if (!rule.example.empty()) schema["examples"] = {rule.example};
    return schema;
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

  std::string place_;
  std::set<std::string> defined_;
  Json defs_ = Json::object();
};

}  // namespace schema

/// The JSON Schema of one record as a JSON text, with what it refers to under `$defs`. For a part of a larger
/// document, `place` is the JSON pointer of where it will stand there: `#/components/schemas/job`.
template <Record T>
std::string json_schema_of(std::string_view place = "#") {
  return schema::SchemaWriter(place).object<T>().dump();
}

}  // namespace gw::spec
