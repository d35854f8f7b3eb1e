#include <fmt/format.h>

#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/cudnn/library.h"

namespace cudacards {

std::string cudnn_description() {
  const cudnn::Library& library = cudnn::library();
  if (!library.is_usable()) return "no: " + library.missing;
  return fmt::format("{} ({})", library.version, library.library.path());
}

}  // namespace cudacards
