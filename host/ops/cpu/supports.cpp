#include "host/ops/cpu/supports.h"

#include <algorithm>

#include "host/runtime/error.h"

namespace cudacards::cpu {

Verdict supports_one_type(const Operation&, const Problem& problem) {
  if (problem.dst.type == DType::kU8) return Verdict::no("needs fp32 or bf16");
  const bool same = std::all_of(problem.src.begin(), problem.src.end(),
                                [&](const TensorDesc& src) { return src.type == problem.dst.type; });
  return same ? Verdict::yes() : Verdict::no("src and dst differ in type");
}

Verdict no_without_avx512(const Operation&, const Problem&) {
  return Verdict::no("needs AVX-512, which this program was not built for");
}

std::unique_ptr<Kernel> none_without_avx512(const Operation&, const Problem&) {
  CUDACARDS_CHECK(false, "built without AVX-512");
}

}  // namespace cudacards::cpu
