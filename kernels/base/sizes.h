#pragma once
// Sizes that are too large to multiply.

#include <cstdint>
#include <initializer_list>

namespace cudacards {

/// Whether the product of `factors`, each 1 or more, is more than `most`, which is 1 or more. Nothing overflows on the
/// way: what a person typed into a problem may be any number.
constexpr bool product_exceeds(std::int64_t most, std::initializer_list<std::int64_t> factors) {
  for (const std::int64_t factor : factors) {
    if (factor > most) return true;
    most /= factor;
  }
  return false;
}

}  // namespace cudacards
