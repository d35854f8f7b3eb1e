#include <fmt/format.h>

#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/cublaslt/library.h"

namespace cudacards {

std::string cublaslt_description() {
  const cublaslt::Library& library = cublaslt::library();
  if (!library.is_usable()) return "no: " + library.missing;
  return fmt::format("{} ({})", library.version, library.library.path());
}

}  // namespace cudacards
