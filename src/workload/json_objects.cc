// Finding the ends of JSON objects; their insides are left to a JSON library.
#include "workload/json_objects.h"

#include <fmt/format.h>

namespace gw::workload {

JsonObjects::JsonObjects(ByteSource& source)
    : source_(source), buffer_(std::make_unique_for_overwrite<char[]>(kBuffer)) {}

Result<int> JsonObjects::get() {
  if (at_ == end_) {
    const Result<std::size_t> got = source_.read({buffer_.get(), kBuffer});
    if (!got) return fail(got.error().message);
    at_ = 0;
    end_ = *got;
    if (end_ == 0) return -1;
  }
  const char c = buffer_[at_++];
  if (c == '\n') ++line_;
  return static_cast<unsigned char>(c);
}

Result<bool> JsonObjects::next(std::string_view& object) {
  for (;;) {
    const Result<int> c = get();
    if (!c) return fail(c.error().message);
    if (*c < 0) {
      if (array_line_ == 0) return false;
      return fail(fmt::format("{}:{}: the array that begins in line {} has no end `]`; is the file cut off?",
                              source_.name(), line_, array_line_));
    }
    if (*c == '{') break;
    if (*c == '[' && array_line_ == 0) {
      array_line_ = line_;
      continue;
    }
    if (*c == ']' && array_line_ != 0) {
      array_line_ = 0;
      continue;
    }
    const bool is_mark = *c == 0xef || *c == 0xbb || *c == 0xbf;  // A byte order mark.
    if (*c == ',' || *c == ' ' || *c == '\t' || *c == '\r' || *c == '\n' || is_mark) continue;
    return fail(fmt::format("{}:{}: a JSON object should begin here; the file should be an array of objects",
                            source_.name(), line_));
  }
  object_.assign(1, '{');
  first_line_ = line_;
  cut_ = false;
  int depth = 1;
  bool in_string = false;
  bool escaped = false;
  while (depth > 0) {
    const Result<int> c = get();
    if (!c) return fail(c.error().message);
    if (*c < 0) {
      return fail(
          fmt::format("{}:{}: this object has no end; is the file cut off?", source_.name(), first_line_));
    }
    if (object_.size() < kLongestObject) {
      object_.push_back(static_cast<char>(*c));
    } else {
      cut_ = true;
    }
    if (escaped) {
      escaped = false;
    } else if (in_string) {
      escaped = *c == '\\';
      in_string = *c != '"';
    } else if (*c == '"') {
      in_string = true;
    } else if (*c == '{') {
      ++depth;
    } else if (*c == '}') {
      --depth;
    }
  }
  object = object_;
  return true;
}

Result<void> JsonObjects::rewind() {
  at_ = end_ = 0;
  line_ = first_line_ = 1;
  array_line_ = 0;
  cut_ = false;
  return source_.rewind();
}

}  // namespace gw::workload
