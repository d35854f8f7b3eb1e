#pragma once
// How the reference loops read, add up and write: storage may be double, float or Bf16, sums are double or float.

#include <cstdint>
#include <type_traits>

#include "host/ops/operation.h"
#include "kernels/base/dtype.h"

namespace cudacards::reference {

/// The type of sums over values stored as T, and of parameters beside them.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
Wide<T> load(T x) {
  return static_cast<Wide<T>>(x);
}

template <class T, class Value>
T rounded(Value value) {
  return T(static_cast<Wide<T>>(value));
}

/// Writes a gradient the way it was asked for. Never called with kIgnore.
template <class T, class Value>
void put(GradMode mode, T& dst, Value value) {
  dst =
      rounded<T>(mode == GradMode::kAccumulate ? load(dst) + static_cast<Wide<T>>(value) : static_cast<Wide<T>>(value));
}

/// sum of a[i] * b[i] in eight interleaved partial sums: an order that is fixed and that a compiler can vectorise.
template <class A, class B>
Wide<A> dot(const A* a, const B* b, std::int64_t count) {
  constexpr int kLanes = 8;
  Wide<A> partial[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) partial[lane] += load(a[i + lane]) * load(b[i + lane]);
  }
  Wide<A> sum = 0;
  for (; i < count; ++i) sum += load(a[i]) * load(b[i]);
  for (const auto part : partial) sum += part;
  return sum;
}

}  // namespace cudacards::reference
