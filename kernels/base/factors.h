#pragma once
// How fp32 numbers are multiplied.

#include <cmath>
#include <cstdint>
#include <cstring>

namespace cudacards {

/// kTf32: rounded to tf32 first (10 bits of mantissa, the range of fp32), which tensor cores multiply. Sums are fp32.
/// bf16 numbers are tf32 numbers, so that it is about fp32 alone.
enum class Factors : std::uint8_t { kExact, kTf32 };

/// On the host: x as tensor cores take it, rounded to nearest, ties away from zero. NaN and infinities stay.
inline float rounded_to_tf32(float x) {
  if (!std::isfinite(x)) return x;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x1000u) & 0xffffe000u;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

}  // namespace cudacards
