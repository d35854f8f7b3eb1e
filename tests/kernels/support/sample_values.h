#pragma once
// Values for kernel tests, the same on every machine, and what tests do with the two storage types.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/base/dtype.h"
#include "kernels/base/philox.h"

namespace cudacards::testing {

template <class T>
constexpr DType kTypeOf = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

/// Whole numbers -range ... range: with few of them every partial sum is exact in fp32.
inline std::vector<double> small_integers(std::int64_t count, int range, std::uint32_t stream) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Random4 words = random4(7, RandomPurpose::kDeck, stream, 0, static_cast<std::uint32_t>(i));
    values[i] = static_cast<double>(words.v[0] % static_cast<std::uint32_t>(2 * range + 1)) - range;
  }
  return values;
}

/// Uniform in [-1, 1), rounded to T.
template <class T>
std::vector<double> random_values(std::int64_t count, std::uint32_t stream) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Random4 words = random4(7, RandomPurpose::kDeck, stream, 1, static_cast<std::uint32_t>(i));
    values[i] = static_cast<float>(T(2 * uniform01(words.v[0]) - 1));
  }
  return values;
}

inline std::vector<double> magnitudes(std::vector<double> values) {
  for (double& x : values) x = std::abs(x);
  return values;
}

template <class T>
std::vector<T> stored_as(const std::vector<double>& values) {
  std::vector<T> stored(values.size());
  std::transform(values.begin(), values.end(), stored.begin(), [](double x) { return T(static_cast<float>(x)); });
  return stored;
}

template <class T>
std::vector<float> as_floats(const std::vector<T>& stored) {
  std::vector<float> values(stored.size());
  std::transform(stored.begin(), stored.end(), values.begin(), [](T x) { return static_cast<float>(x); });
  return values;
}

/// The first `count` elements of what bytes_of() gathered, from `offset` on.
template <class T, class Bytes>
std::vector<T> elements_of(const Bytes& bytes, std::int64_t count, std::size_t offset = 0) {
  std::vector<T> elements(static_cast<std::size_t>(count));
  std::copy_n(reinterpret_cast<const char*>(bytes.data()) + offset, elements.size() * sizeof(T),
              reinterpret_cast<char*>(elements.data()));
  return elements;
}

}  // namespace cudacards::testing
