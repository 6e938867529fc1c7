// Finds and splits `#SBATCH` lines (after _opt_batch_script and get_argument of Slurm's src/sbatch/opt.c).
#include "spec/sbatch_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/utf8.h"

namespace gw::spec {

namespace {

constexpr std::string_view kMagic = "#SBATCH";

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool equals_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    return upper(x) == upper(y);
  });
}

/// A line `#SBATCH`, not `#SBATCHING`.
bool is_directive(std::string_view line) {
  if (!line.starts_with(kMagic)) return false;
  return line.size() == kMagic.size() || is_blank(line[kMagic.size()]) || line[kMagic.size()] == '-';
}

/// Calls `take(line, number)` for each line until it gives false.
template <class Take>
void each_line(std::string_view text, Take take) {
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (!take(text.substr(0, end), number)) return;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

class LineReader {
 public:
  LineReader(std::string_view line, std::uint32_t number, SbatchFindings& findings)
      : line_(line), number_(number), findings_(findings) {}

  std::vector<SbatchWord> read() {
    std::vector<SbatchWord> words;
    at_ = kMagic.size();
    for (;;) {
      while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
      if (at_ == line_.size() || line_[at_] == '#') return words;
      SbatchWord word{{}, mark(at_)};
      if (!read_word(word.text)) return {};
      words.push_back(std::move(word));
    }
  }

 private:
  /// Columns count characters.
  [[nodiscard]] Mark mark(std::size_t at) const {
    return {number_, static_cast<std::uint32_t>(characters(line_.substr(0, at)) + 1)};
  }

  bool read_word(std::string& text) {
    char quote = 0;
    std::size_t quote_at = 0;
    for (; at_ < line_.size() && (quote != 0 || !is_blank(line_[at_])); ++at_) {
      const char c = line_[at_];
      if (c == '\\') {
        if (at_ + 1 < line_.size()) text += line_[++at_];
      } else if (quote != 0) {
        if (c == quote) {
          quote = 0;
        } else {
          text += c;
        }
      } else if (c == '"' || c == '\'') {
        quote = c;
        quote_at = at_;
      } else if (c == '#') {
        break;
      } else {
        text += c;
      }
    }
    if (quote == 0) return true;
    findings_.error({false, mark(quote_at)}, fmt::format("this {} has no partner in its line", quote));
    return false;
  }

  std::string_view line_;
  std::uint32_t number_;
  SbatchFindings& findings_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::vector<SbatchWord>> sbatch_lines(std::string_view text, SbatchFindings& findings) {
  std::vector<std::vector<SbatchWord>> lines;
  std::uint32_t first_command = 0;
  each_line(text, [&](std::string_view line, std::uint32_t number) {
    if (first_command != 0) {
      if (!is_directive(line)) return true;
      findings.warning(
          {false, {number, 1}},
          fmt::format("this line has no effect: options stand before the first command, which is in line {}",
                      first_command));
      return false;  // One such line is enough.
    }
    if (is_directive(line)) {
      lines.push_back(LineReader(line, number, findings).read());
      return true;
    }
    const std::size_t begin =
        static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_blank) - line.begin());
    if (begin == line.size()) return true;
    if (line[begin] != '#') {
      first_command = number;
      return true;
    }
    const std::string_view word = line.substr(begin, line.find_first_of(" \t", begin) - begin);
    if (equals_in_any_case(word, kMagic) || word == "#SLURM") {
      findings.warning(
          {false, {number, static_cast<std::uint32_t>(begin + 1)}},
          "this line is a comment: options stand behind `#SBATCH`, in capitals, at the line's begin");
    }
    return true;
  });
  return lines;
}

bool has_pbs_lines(std::string_view text) {
  return text.starts_with("#PBS ") || text.find("\n#PBS ") != std::string_view::npos;
}

}  // namespace gw::spec
