// The JSON Schema (draft 2020-12) and the reference of the YAML files, from the same descriptions that
// reading uses.
#pragma once

#include <cstdint>
#include <string>

namespace gw::spec {

enum class FileKind : std::uint8_t { kScenario, kFleet, kCatalog, kJob };

/// A JSON Schema that editors complete from and check against; ends with a newline. It accepts every file
/// that the reader accepts; names that must exist elsewhere, sums and sizes are left to `gw validate`.
std::string json_schema(FileKind kind);

/// Markdown: a table for each record that files of that kind can hold.
std::string reference_markdown(FileKind kind);

}  // namespace gw::spec
