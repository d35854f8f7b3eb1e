#include "bench/support/drawn_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/base/philox.h"

namespace cudacards::bench {
namespace {

constexpr std::int64_t kBlock = 1'000'003;  // prime

float value_of(std::uint32_t word, const Drawn& how) {
  constexpr float kIntegers[] = {-2, -1, -1, 1, 1, 1, 2, 0};
  const float value = how.integers ? kIntegers[word % 8] : 2 * uniform01(word) - 1;
  return how.positive ? std::abs(value) + 0.5f : value;
}

}  // namespace

std::vector<std::byte> drawn_values(DType type, std::int64_t elements, const Drawn& how, std::uint32_t lane) {
  const auto count = static_cast<std::size_t>(std::min(elements, kBlock));
  std::vector<std::byte> bytes(count * size_of(type));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word =
        random4(1, RandomPurpose::kInitialise, 0, lane, static_cast<std::uint32_t>(i / 4)).v[i % 4];
    const float value = value_of(word, how);
    std::byte* at = bytes.data() + i * size_of(type);
    if (type == DType::kU8) {
      *at = static_cast<std::byte>(word >> 24);
    } else if (type == DType::kBf16) {
      const Bf16 rounded(value);
      std::memcpy(at, &rounded, sizeof rounded);
    } else {
      std::memcpy(at, &value, sizeof value);
    }
  }
  return bytes;
}

}  // namespace cudacards::bench
