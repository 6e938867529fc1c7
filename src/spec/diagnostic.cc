// Collecting, ordering and printing of diagnostics.
#include "spec/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gw::spec {

std::string Diagnostic::text() const {
  const std::string_view label = severity == Severity::kWarning ? "warning: " : "";
  if (!path.empty())
    return fmt::format("{}{}{}: {}{}", file, path.front() == '[' ? "" : ".", path, label, message);
  if (at.line == 0) return fmt::format("{}: {}{}", file, label, message);
  return fmt::format("{}:{}:{}: {}{}", file, at.line, at.column, label, message);
}

std::string diagnostics_text(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += diagnostic.text();
  }
  return text;
}

void Findings::add(Severity severity, Mark at, std::string message) {
  if (severity == Severity::kError) ++errors_;
  if (kept_.size() >= kMax) {
    ++left_out_;
    return;
  }
  kept_.push_back({severity, file_, at, std::move(message), {}});
}

void Findings::error(Mark at, std::string message) { add(Severity::kError, at, std::move(message)); }

void Findings::warning(Mark at, std::string message) { add(Severity::kWarning, at, std::move(message)); }

std::vector<Diagnostic> Findings::take() {
  std::stable_sort(kept_.begin(), kept_.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.at < b.at; });
  kept_.erase(std::unique(kept_.begin(), kept_.end()),
              kept_.end());  // One place reached through two aliases.
  if (left_out_ > 0) {
    const Severity severity = errors_ > 0 ? Severity::kError : Severity::kWarning;
    kept_.push_back(
        {severity, file_, Mark{}, fmt::format("{} more findings are left out; mend these first", left_out_)});
  }
  errors_ = 0;
  left_out_ = 0;
  return std::exchange(kept_, {});
}

}  // namespace gw::spec
