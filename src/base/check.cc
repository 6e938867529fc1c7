// Reports a failed GW_CHECK and ends the process.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace gw {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr,
               "gw: internal error: %s does not hold (%s:%d)\nThis is a bug in gigawerk; please report it.\n",
               expression, file, line);
  std::abort();
}

}  // namespace gw
