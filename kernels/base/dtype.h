#pragma once
// Element types of tensors. Storage types only: sums are always taken in fp32 or wider.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cudacards {

enum class DType : std::uint8_t { kF32, kBf16, kU8 };

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::kF32:
      return 4;
    case DType::kBf16:
      return 2;
    case DType::kU8:
      return 1;
  }
  return 0;
}

constexpr const char* name_of(DType type) {
  switch (type) {
    case DType::kF32:
      return "fp32";
    case DType::kBf16:
      return "bf16";
    case DType::kU8:
      return "uint8";
  }
  return "?";
}

/// bfloat16 on the host: the upper half of an IEEE-754 binary32. Conversion from float rounds to nearest, ties to even,
/// and keeps NaN a NaN. Bit-compatible with __nv_bfloat16 and dnnl's bf16.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  explicit Bf16(float value) {
    std::uint32_t u;
    std::memcpy(&u, &value, sizeof u);
    // A quiet NaN where it was one: plain rounding could carry it to infinity. Both are computed and one is selected,
    // so that a loop of conversions has no branch and is vectorised.
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const std::uint32_t quiet = (u >> 16) | 0x0040u;
    bits = static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
  explicit operator float() const {
    const std::uint32_t u = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &u, sizeof value);
    return value;
  }
};

static_assert(sizeof(Bf16) == 2);

}  // namespace cudacards
