#pragma once
// Turns a kernel class template over (storage of src, storage of dst) into an Implementation.

#include <algorithm>
#include <memory>

#include "host/ops/operation.h"
#include "host/runtime/error.h"

namespace cudacards::reference {

inline Verdict supports_types(const Operation&, const Problem& problem) {
  const DType src = problem.src.front().type;
  const bool same =
      std::all_of(problem.src.begin(), problem.src.end(), [&](const TensorDesc& d) { return d.type == src; });
  if (!same) return Verdict::no("the sources have different types");
  if (src == DType::kU8 || problem.dst.type == DType::kU8)
    return Verdict::no("needs fp32 or bf16, not uint8: rescale first");
  return Verdict::yes();
}

template <class Op, template <class Src, class Dst> class K>
std::unique_ptr<Kernel> make_kernel(const Operation& operation, const Problem& problem) {
  const auto* op = dynamic_cast<const Op*>(&operation);
  CUDACARDS_CHECK(op != nullptr);
  const bool src_is_bf16 = problem.src.front().type == DType::kBf16;
  if (problem.dst.type == DType::kBf16) {
    if (src_is_bf16) return std::make_unique<K<Bf16, Bf16>>(*op, problem);
    return std::make_unique<K<float, Bf16>>(*op, problem);
  }
  if (src_is_bf16) return std::make_unique<K<Bf16, float>>(*op, problem);
  return std::make_unique<K<float, float>>(*op, problem);
}

template <class Op, template <class Src, class Dst> class K>
constexpr Implementation implementation() {
  return {.name = "reference", .family = "reference", .supports = supports_types, .make = make_kernel<Op, K>};
}

}  // namespace cudacards::reference
