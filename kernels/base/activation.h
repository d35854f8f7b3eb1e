#pragma once
// Activations that other operations can absorb. Softmax is an operation of its own: it looks at a whole row.

#include <cstdint>

#include "kernels/base/host_device.h"

namespace cudacards {

enum class Activation : std::uint8_t { kNone, kRelu, kRelu6 };

constexpr const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "linear";
    case Activation::kRelu:
      return "relu";
    case Activation::kRelu6:
      return "relu6";
  }
  return "?";
}

/// A NaN stays a NaN, so that a run that has gone wrong shows it.
template <class T>
CUDACARDS_HOST_DEVICE constexpr T apply(Activation activation, T x) {
  if (activation == Activation::kNone) return x;
  const T rectified = x <= T(0) ? T(0) : x;
  return activation == Activation::kRelu6 && rectified > T(6) ? T(6) : rectified;
}

/// The derivative from the result y = apply(x): 1 strictly inside, 0 at and beyond the clamps.
template <class T>
CUDACARDS_HOST_DEVICE constexpr T derivative_from_result(Activation activation, T y) {
  if (activation == Activation::kNone) return T(1);
  return y > T(0) && (activation != Activation::kRelu6 || y < T(6)) ? T(1) : T(0);
}

}  // namespace cudacards
