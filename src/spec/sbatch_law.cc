// The `#GW` lines of a batch script.
#include "spec/sbatch_law.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "spec/near_miss.h"

namespace gw::spec {
namespace {

constexpr std::string_view kMagic = "#GW";
constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string>* list_of(std::string_view key, LegalWishes& law) {
  if (key == "residency") return &law.residency;
  if (key == "excluded_jurisdictions") return &law.excluded_jurisdictions;
  if (key == "certifications") return &law.certifications;
  return key == "data" ? &law.data : nullptr;
}

void read_line(std::string_view line, std::uint32_t number, LegalWishes& law, SbatchFindings& findings) {
  const std::string_view rest = line.substr(kMagic.size());
  const std::size_t colon = rest.find(':');
  const SbatchPlace place{false, {number, 1}};
  const std::string_view key = trimmed(rest.substr(0, colon));
  std::vector<std::string>* list = list_of(key, law);
  if (colon == std::string_view::npos || list == nullptr) {
    findings.error(place, fmt::format("\"{}\" is no `#GW key: value, value`{}", trimmed(rest),
                                      suggestion(std::string(key), {"residency", "excluded_jurisdictions",
                                                                    "certifications", "data"})));
    return;
  }
  list->clear();  // As with options, the last line of a key counts.
  std::string_view values = rest.substr(colon + 1);
  for (bool more = true; more;) {
    const std::size_t comma = values.find(',');
    more = comma != std::string_view::npos;
    const std::string_view value = trimmed(values.substr(0, comma));
    if (value.empty()) {
      findings.error(
          place, fmt::format("a value of \"{}\" is missing; write for example `#GW {}: EU, CH`", key, key));
      return;
    }
    list->emplace_back(value);
    if (more) values.remove_prefix(comma + 1);
  }
}

}  // namespace

void read_gigawerk_lines(std::string_view script, LegalWishes& law, SbatchFindings& findings) {
  for (std::uint32_t number = 1; !script.empty(); ++number) {
    const std::size_t end = script.find('\n');
    const std::string_view line = script.substr(0, end);
    if (line.starts_with(kMagic) && line.size() > kMagic.size() &&
        kBlanks.find(line[kMagic.size()]) != std::string_view::npos) {
      read_line(line, number, law, findings);
    } else if (const std::string_view text = trimmed(line); !text.empty() && text.front() != '#') {
      return;
    }
    script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
  }
}

}  // namespace gw::spec
