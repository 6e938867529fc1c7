// Misuse of Result that must not compile.
#include "base/result.h"

namespace gw {

Result<int> read_number();
Error problem();

int use() {
  const Result<int> number = read_number();
#if CASE == 1  // An error is not dropped.
  problem();
#elif CASE == 2  // A result is not its value.
  int value = number;
#elif CASE == 3  // A text is not a failure: fail() says so.
  Result<int> failed = "log.swf:12: no such column";
#endif
  return number ? *number : 0;
}

}  // namespace gw
