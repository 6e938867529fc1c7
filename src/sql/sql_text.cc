// A scanner of SQL that knows just enough to find where statements begin.
#include "sql/sql_text.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace gw::sql {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string upper(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

/// Gives words and single signs, one after the other; what is quoted or a comment is passed over.
class Scanner {
 public:
  explicit Scanner(std::string_view sql) : sql_(sql) {}

  /// Empty at the end.
  std::string_view next() {
    while (at_ < sql_.size()) {
      const std::string_view rest = sql_.substr(at_);
      if (is_space(rest[0])) {
        ++at_;
      } else if (rest.starts_with("--")) {
        skip_past("\n", 2);
      } else if (rest.starts_with("/*")) {
        skip_past("*/", 2);
      } else if (rest[0] == '\'' || rest[0] == '"' || rest[0] == '`') {
        skip_past(rest.substr(0, 1), 1);
      } else if (rest[0] == '$') {
        skip_dollar_quote(rest);
      } else if (is_word(rest[0])) {
        const auto end = std::ranges::find_if_not(rest, is_word);
        const std::string_view word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
        at_ += word.size();
        return word;
      } else {
        ++at_;
        return rest.substr(0, 1);
      }
    }
    return {};
  }

 private:
  void skip_past(std::string_view end, std::size_t from) {
    const std::size_t found = sql_.find(end, at_ + from);
    at_ = found == std::string_view::npos ? sql_.size() : found + end.size();
  }
  /// `$tag$ ... $tag$` of PostgreSQL; a lone `$1` is a parameter.
  void skip_dollar_quote(std::string_view rest) {
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != '$' && is_word(rest[end])) ++end;
    const bool tag = end < rest.size() && rest[end] == '$' && (end == 1 || rest[1] < '0' || rest[1] > '9');
    if (tag) {
      skip_past(rest.substr(0, end + 1), end + 1);
    } else {
      at_ += end;
    }
  }

  std::string_view sql_;
  std::size_t at_ = 0;
};

constexpr std::array<std::string_view, 8> kTransactionWords = {"BEGIN",    "START",     "COMMIT",  "END",
                                                               "ROLLBACK", "SAVEPOINT", "RELEASE", "ABORT"};

}  // namespace

std::string quoted_sql(std::string_view sql) {
  constexpr std::size_t kLongest = 120;
  std::string line = "\"";
  for (const char c : sql) {
    if (line.size() > kLongest && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) return line + "...\"";
    if (!is_space(c)) {
      line.push_back(c);
    } else if (line.back() != ' ' && line.size() > 1) {
      line.push_back(' ');
    }
  }
  while (line.back() == ' ') line.pop_back();
  return line + "\"";
}

std::string quoted_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result.push_back(c);
    result.push_back(c);
  }
  return result + "\"";
}

std::string transaction_word(std::string_view sql) {
  Scanner scanner(sql);
  bool begins = true;       // The next word is a statement's first.
  bool in_create = false;   // CREATE was, and nothing but TEMP, OR or REPLACE since.
  bool in_trigger = false;  // A trigger's body goes on to its END.
  for (std::string_view token = scanner.next(); !token.empty(); token = scanner.next()) {
    if (token == ";") {
      begins = true;
      continue;
    }
    const std::string word = upper(token);
    if (in_create) {
      in_trigger = word == "TRIGGER";
      in_create = word == "TEMP" || word == "TEMPORARY" || word == "OR" || word == "REPLACE";
    }
    if (!begins) {
      // PostgreSQL's triggers have no body: theirs ends with the statement, at EXECUTE FUNCTION.
      if (in_trigger && word == "EXECUTE") in_trigger = false;
      continue;
    }
    begins = false;
    in_create = word == "CREATE";
    if (in_trigger) {
      in_trigger = word != "END";
    } else if (std::ranges::find(kTransactionWords, word) != kTransactionWords.end()) {
      return word;
    }
  }
  return {};
}

}  // namespace gw::sql
