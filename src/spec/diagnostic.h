// Diagnostic: one finding about an input file, with its place; Findings collects them so that a reader
// reports all errors at once instead of stopping at the first.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace gw::spec {

/// A place in a text, both counted from 1; line 0 means the file as a whole.
struct Mark {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend auto operator<=>(const Mark&, const Mark&) = default;
};

enum class Severity : std::uint8_t { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  Mark at;
  std::string message;    ///< What is wrong; what would be right.
  std::string path = {};  ///< In a JSON text, in place of `at`: `warning.before`, `depends[1]`.

  /// `factory.yaml:12:5: unknown key "gpuss"; did you mean "gpus"?`, in a JSON text `job.gpuss: ...`; a
  /// warning says so before its message.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

/// A value, or every error that was found on the way to it.
template <class T>
using Checked = std::expected<T, std::vector<Diagnostic>>;

/// One line per diagnostic, for an error message that is a single text.
std::string diagnostics_text(const std::vector<Diagnostic>& diagnostics);

/// The findings about one file.
class Findings {
 public:
  static constexpr std::size_t kMax = 500;  ///< More are counted, not kept: a broken file can hold millions.

  explicit Findings(std::string file) : file_(std::move(file)) {}
  void error(Mark at, std::string message);
  void warning(Mark at, std::string message);
  [[nodiscard]] bool failed() const { return errors_ > 0; }
  [[nodiscard]] std::size_t errors() const { return errors_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  /// All findings in the order of the text; empties the collection.
  [[nodiscard]] std::vector<Diagnostic> take();

 private:
  void add(Severity severity, Mark at, std::string message);

  std::string file_;
  std::vector<Diagnostic> kept_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace gw::spec
