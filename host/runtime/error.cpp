#include "host/runtime/error.h"

#include <cstdio>
#include <cstdlib>

namespace cudacards {

void check_failed(const char* expression, const char* file, int line, const std::string& detail) {
  std::fprintf(stderr, "cudacards: internal error: %s is false at %s:%d%s%s\n", expression, file, line,
               detail.empty() ? "" : ": ", detail.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace cudacards
