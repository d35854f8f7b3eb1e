#pragma once
// Inputs for tests of kernels over rows: the same numbers every time, rounded to the type that the kernel reads.

#include <cmath>
#include <cstdint>
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

}  // namespace cudacards::testing
