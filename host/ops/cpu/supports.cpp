#include "host/ops/cpu/supports.h"

#include <algorithm>

namespace cudacards::cpu {

Verdict supports_one_type(const Operation&, const Problem& problem) {
  if (problem.dst.type == DType::kU8) return Verdict::no("needs fp32 or bf16");
  const bool same = std::all_of(problem.src.begin(), problem.src.end(),
                                [&](const TensorDesc& src) { return src.type == problem.dst.type; });
  return same ? Verdict::yes() : Verdict::no("src and dst differ in type");
}

}  // namespace cudacards::cpu
