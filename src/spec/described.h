// How a file's records are described, once, for the reader, the JSON Schema and the reference documentation.
//
// A record is a struct with `static constexpr std::string_view kRecord` (its name in the schema), `kHelp`
// (one sentence) and a function found by argument-dependent look-up:
//
//   template <class Visitor> void describe(Visitor& visit, SiteSpec& site) {
//     visit.field("name", site.name, {.help = "...", .required = true, .text = Text::kName});
//     visit.exactly_one({"halls", "rows"});  // or at_most_one
//   }
//
// Field types: std::string, bool, unsigned and signed integers, double, Nanoseconds, Milliwatts, Bytes,
// records, Located<T>, std::optional<T>, std::vector<T>, Shares, Texts, Override<Record>. Values of a
// default-constructed record are the documented defaults.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spec/unit_text.h"
#include "spec/yaml_tree.h"

namespace gw::spec {

/// Which texts a string field takes.
enum class Text : std::uint8_t {
  kAny,         ///< Any text without zero bytes.
  kName,        ///< Letters, digits, `.`, `_`, `-`; begins with a letter or digit; at most 100.
  kCountry,     ///< Two capital letters, ISO 3166-1 alpha-2.
  kLine,        ///< Any text without control characters.
  kTenantPath,  ///< Names with `/` between them, at most 16.
  kVariable,    ///< Name of an environment variable.
};

/// Whether `text`, which is not empty, is of that kind.
bool is_text(Text kind, std::string_view text);
/// What such a text must be, for messages: `must be a name of letters, ...`.
std::string_view text_wanted(Text kind);

/// What a field takes and what it is for. Bounds are inclusive and count the stored unit.
struct Rule {
  std::string_view help;
  bool required = false;
  Unit unit = Unit::kNone;                                ///< For doubles; the other types bring their own.
  double min = std::numeric_limits<double>::quiet_NaN();  ///< NaN: no bound but that of the type.
  double max = std::numeric_limits<double>::quiet_NaN();
  bool above_min = false;  ///< `min` itself is not allowed.
  Text text = Text::kAny;
  std::span<const std::string_view> choices = {};  ///< All that a string may be; empty: anything.
  std::size_t items_min = 0;                       ///< Of lists and shares.
  std::size_t items_max = std::numeric_limits<std::size_t>::max();
  std::string_view default_text = {};  ///< Documented default where the struct's value does not tell it.
  std::size_t bytes_max = std::numeric_limits<std::size_t>::max();  ///< Of each text.
  bool empty_allowed = false;                                       ///< A text may be empty.
  Text names = Text::kAny;                                          ///< Which names Texts take.
  std::string_view pattern =
      {};  ///< What a text looks like (ECMA-262), for the schema: its reader checks it.
  std::string_view example = {};  ///< What to write; for the reference and the schema.
};

template <class T>
concept Record = requires {
  { T::kRecord } -> std::convertible_to<std::string_view>;
};

/// A value and where it stood; for checks that need more than one record.
template <class T>
struct Located {
  T value{};
  Mark at;
};

/// `{name: share, ...}`: relative weights by name, in the order of the text.
struct Shares {
  struct Entry {
    std::string name;
    double share = 0;
    Mark at;
  };
  std::vector<Entry> entries;
  bool written = false;  ///< The key stands in the file, perhaps with mistakes.
};

/// `{NAME: text, ...}`, in the order of the text.
struct Texts {
  struct Entry {
    std::string name;
    std::string text;
  };
  std::vector<Entry> entries;
};

/// A record that may change a known one: read later, over a copy. Only `name` must be there.
template <Record T>
struct Override {
  const YamlNode* node = nullptr;  ///< Lives as long as the tree.
};

/// Field types that count a unit whatever the rule says.
template <class T>
inline constexpr Unit kUnitOf = Unit::kNone;
template <>
inline constexpr Unit kUnitOf<Nanoseconds> = Unit::kNanoseconds;
template <>
inline constexpr Unit kUnitOf<Milliwatts> = Unit::kMilliwatts;
template <>
inline constexpr Unit kUnitOf<Bytes> = Unit::kBytes;

/// The pattern of a text rule (ECMA-262), or empty for any text.
constexpr std::string_view text_pattern(Text text) {
  switch (text) {
    case Text::kName:
      return "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";
    case Text::kCountry:
      return "^[A-Z]{2}$";
    case Text::kLine:
      return "^[^\\u0000-\\u001f\\u007f]*$";
    case Text::kTenantPath:
      return "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,15}$";
    case Text::kVariable:
      return "^[A-Za-z_][A-Za-z0-9_]*$";
    case Text::kAny:
      break;
  }
  return {};
}

}  // namespace gw::spec
