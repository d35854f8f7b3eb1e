#pragma once
// Inputs for tests of kernels over rows: the same numbers every time, rounded to the type that the kernel reads.

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/base/dtype.h"
#include "kernels/base/philox.h"

namespace cudacards::testing {

template <class T>
constexpr DType kTypeOf = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

/// Uniform in [low, high).
template <class T>
std::vector<T> random_numbers(std::int64_t count, float low, float high, std::uint32_t seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float u = uniform01(philox4x32_10(seed, 7, static_cast<std::uint32_t>(i), 0, 0, 0).v[0]);
    values[i] = T(low + (high - low) * u);
  }
  return values;
}

/// Integers in [low, high].
template <class T>
std::vector<T> random_integers(std::int64_t count, int low, int high, std::uint32_t seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t word = philox4x32_10(seed, 8, static_cast<std::uint32_t>(i), 0, 0, 0).v[0];
    values[i] = T(static_cast<float>(low + static_cast<int>(word % static_cast<std::uint32_t>(high - low + 1))));
  }
  return values;
}

template <class T>
std::vector<double> in_double(const std::vector<T>& values) {
  std::vector<double> wide(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) wide[i] = static_cast<double>(static_cast<float>(values[i]));
  return wide;
}
template <class T>
std::vector<float> in_float(const std::vector<T>& values) {
  std::vector<float> wide(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) wide[i] = static_cast<float>(values[i]);
  return wide;
}

/// The kernel that softmax and softmax_loss start for a row of so many fp32 classes, from edge to edge. All of them
/// compute the same: which one it is decides the speed alone.
inline constexpr std::pair<int, const char*> kKernelsOfRows[] = {
    {64, "warp_kernel<float, 2>"},    {65, "warp_kernel<float, 8>"},    {256, "warp_kernel<float, 8>"},
    {257, "warp_kernel<float, 32>"},  {1024, "warp_kernel<float, 32>"}, {1025, "block_kernel<float, 1>"},
    {1028, "block_kernel<float, 4>"}, {1030, "block_kernel<float, 1>"}};

}  // namespace cudacards::testing
