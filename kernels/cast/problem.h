#pragma once
// Arrays that are filled with a number or copied into another element type.

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards {

struct FillProblem {
  std::int64_t elements = 0;
  float value = 0;

  std::int64_t bytes(DType type) const { return elements * static_cast<std::int64_t>(size_of(type)); }
  std::int64_t flops() const { return 0; }
};

struct CastProblem {
  std::int64_t elements = 0;
  DType from = DType::kF32, to = DType::kBf16;

  std::int64_t bytes() const { return elements * static_cast<std::int64_t>(size_of(from) + size_of(to)); }
  std::int64_t flops() const { return 0; }
};

}  // namespace cudacards
