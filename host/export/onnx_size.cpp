#include <fmt/format.h>

#include <limits>

#include "host/export/onnx.h"
#include "host/runtime/error.h"

namespace cudacards {

void require_fits_onnx(const Graph& graph) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max(), kBesides = 1 << 20;  // nodes and names
  const std::int64_t bytes = graph.parameter_count() * static_cast<std::int64_t>(sizeof(float));
  if (bytes <= kMost - kBesides) return;
  throw Error(
      fmt::format("{} parameters are {:.1f} GiB, an ONNX file holds at most 2 GiB (protobuf's limit): export "
                  "--safetensors, or train on smaller pictures",
                  graph.parameter_count(), static_cast<double>(bytes) / (1 << 30)));
}

}  // namespace cudacards
