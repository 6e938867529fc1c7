// Follows a shell script as far as is needed to tell commands from their arguments, comments and texts.
#include "spec/sbatch_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gw::spec {
namespace {

struct SlurmCommand {
  std::string_view name;
  std::string_view advice;
};

constexpr std::array<SlurmCommand, 7> kCommands = {{
    {"srun",
     "the script runs once, on the job's first node: leave srun out for one process, start several by "
     "torchrun or "
     "mpirun, or submit the command itself by `gw run --tasks-per-node N`, which starts N processes on each "
     "node"},
    {"salloc", "a job has its nodes already; hold some by `gw run -- sleep 4h`"},
    {"sbatch", "write `gw submit --parsable SCRIPT`"},
    {"scancel", "write `gw cancel JOB`"},
    {"scontrol",
     "write `gw show JOB`, `gw hold`, `gw release` or `gw requeue`; the names of a job's nodes are in "
     "SLURM_JOB_NODELIST"},
    {"squeue", "write `gw ps`"},
    {"sacct", "write `gw ps --all` or `gw usage`"},
}};

/// Words behind which a command still begins.
bool precedes_command(std::string_view word) {
  constexpr std::string_view kWords[] = {"!",     "{",     "if",   "then",    "elif", "else",
                                         "while", "until", "do",   "time",    "exec", "nohup",
                                         "env",   "eval",  "sudo", "command", "nice", "setsid"};
  if (std::ranges::find(kWords, word) != std::end(kWords)) return true;
  const std::size_t equals = word.find('=');
  return equals != std::string_view::npos && equals > 0 &&
         std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

bool is_shell(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  for (std::string_view name : {"sh", "bash", "dash", "ksh", "zsh"}) {
    for (std::size_t at = first.find(name); at != std::string_view::npos; at = first.find(name, at + 1)) {
      const std::size_t end = at + name.size();
      if ((first[at - 1] == '/' || first[at - 1] == ' ') && (end == first.size() || first[end] == ' '))
        return true;
    }
  }
  return false;
}

class ShellReader {
 public:
  explicit ShellReader(std::string_view text) : text_(text) {}

  /// Calls `use(word, mark)` for the first word of each command.
  template <class Use>
  void read(const Use& use) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quoted_ != '\'' && at_ + 1 < text_.size()) {
        if (text_[at_ + 1] == '\n') {
          end_word(use);
          ++at_;
          new_line();
        } else {
          take(text_[at_ + 1]);
          at_ += 2;
        }
      } else if (quoted_ == '\'') {
        if (c == '\'') quoted_ = 0;
        step(c);
      } else if (c == '$' && next() == '(') {
        nested_.push_back({quoted_, begins_, std::exchange(word_, {})});
        quoted_ = 0;
        begins_ = true;
        at_ += 2;
      } else if (quoted_ == '"') {
        if (c == '"') quoted_ = 0;
        word_ += 'x';  // Not a plain word any more.
        step(c);
      } else if (c == ')' && !nested_.empty()) {
        end_word(use);
        quoted_ = nested_.back().quoted;
        begins_ = nested_.back().begins;
        word_ = std::move(nested_.back().word) + 'x';
        nested_.pop_back();
        ++at_;
      } else if (c == '\'' || c == '"') {
        if (word_.empty()) word_mark_ = mark();
        word_ += 'x';
        quoted_ = c;
        ++at_;
      } else if (c == '#' && word_.empty()) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == '<' && next() == '<' && text_.substr(at_, 3) != "<<<") {
        here_document();
      } else if (c == ' ' || c == '\t') {
        end_word(use);
        ++at_;
      } else if (c == '\n') {
        end_word(use);
        begins_ = true;
        new_line();
        skip_here_documents();
      } else if (c == '(' && next() == ')') {
        own_.push_back(std::exchange(word_, {}));  // NAME(): a function of the script.
        at_ += 2;
        begins_ = true;
      } else if (std::string_view(";&|()`").find(c) != std::string_view::npos) {
        end_word(use);
        begins_ = true;
        ++at_;
      } else {
        take(c);
        ++at_;
      }
    }
    end_word(use);
  }

  [[nodiscard]] bool is_own(std::string_view name) const {
    return std::ranges::find(own_, name) != own_.end();
  }

 private:
  struct Nested {
    char quoted = 0;
    bool begins = false;
    std::string word;
  };

  [[nodiscard]] char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }
  [[nodiscard]] Mark mark() const { return {line_, static_cast<std::uint32_t>(at_ - line_begin_ + 1)}; }

  void take(char c) {
    if (word_.empty()) word_mark_ = mark();
    word_ += c;
  }
  void step(char c) {
    if (c == '\n') {
      new_line();
    } else {
      ++at_;
    }
  }
  void new_line() {
    ++at_;
    ++line_;
    line_begin_ = at_;
  }

  template <class Use>
  void end_word(const Use& use) {
    if (word_.empty()) return;
    if (begins_ && !precedes_command(word_)) {
      use(std::string_view(word_), word_mark_);
      begins_ = false;
    }
    word_.clear();
  }

  /// `<<EOF`, `<<-'EOF'`: its text begins in the next line.
  void here_document() {
    at_ += 2;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    std::string end;
    while (at_ < text_.size() &&
           std::string_view(" \t\n;&|<>()").find(text_[at_]) == std::string_view::npos) {
      if (std::string_view("'\"\\").find(text_[at_]) == std::string_view::npos) end += text_[at_];
      ++at_;
    }
    if (!end.empty()) here_.push_back(std::move(end));
  }

  void skip_here_documents() {
    for (const std::string& end : std::exchange(here_, {})) {
      while (at_ < text_.size()) {
        std::string_view line = text_.substr(at_, text_.find('\n', at_) - at_);
        at_ = std::min(at_ + line.size(), text_.size());
        if (at_ < text_.size()) new_line();
        while (line.starts_with('\t')) line.remove_prefix(1);
        if (line == end) break;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_begin_ = 0;
  std::uint32_t line_ = 1;
  bool begins_ = true;  ///< The next word is a command.
  char quoted_ = 0;
  std::string word_;
  Mark word_mark_;
  std::vector<Nested> nested_;  ///< What each `$(` interrupts.
  std::vector<std::string> here_;
  std::vector<std::string> own_;
};

}  // namespace

void warn_of_slurm_commands(std::string_view text, SbatchFindings& findings) {
  if (!is_shell(text)) return;
  std::map<std::string_view, std::vector<Mark>> calls;
  ShellReader reader(text);
  reader.read([&](std::string_view word, Mark at) {
    const std::string_view name = word.substr(word.rfind('/') + 1);  // From 0 where there is none.
    const auto* const known = std::ranges::find(kCommands, name, &SlurmCommand::name);
    if (known != kCommands.end()) calls[known->name].push_back(at);
  });
  for (const SlurmCommand& command : kCommands) {
    const auto found = calls.find(command.name);
    if (found == calls.end() || reader.is_own(command.name)) continue;
    std::vector<std::uint32_t> others;
    for (const Mark& at : found->second) {
      if (at.line != found->second.front().line && (others.empty() || others.back() != at.line))
        others.push_back(at.line);
    }
    constexpr std::size_t kShown = 5;
    const std::size_t more = others.size() > kShown ? others.size() - kShown : 0;
    others.resize(others.size() - more);
    findings.warning(
        {false, found->second.front()},
        fmt::format("jobs of Gigawerk have no {}{}; {}", command.name,
                    others.empty() ? std::string()
                                   : fmt::format(" (also in line {}{})", fmt::join(others, ", "),
                                                 more > 0 ? fmt::format(" and {} more", more) : ""),
                    command.advice));
  }
}

}  // namespace gw::spec
