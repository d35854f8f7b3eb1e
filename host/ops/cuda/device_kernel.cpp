#include "host/ops/cuda/device_kernel.h"

#include <algorithm>

namespace cudacards::cuda {

Verdict supports_one_type(const Problem& problem) {
  const DType type = problem.dst.type;
  if (type == DType::kU8) return Verdict::no("needs fp32 or bf16, not uint8: rescale first");
  const bool same = std::ranges::all_of(problem.src, [&](const TensorDesc& src) { return src.type == type; });
  return same ? Verdict::yes() : Verdict::no("src and dst have different types");
}

}  // namespace cudacards::cuda
