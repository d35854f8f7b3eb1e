#include "bench/support/drawn_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "kernels/base/philox.h"

namespace cudacards::bench {
namespace {

constexpr std::int64_t kBlock = 1'000'003;  // prime
constexpr std::size_t kLanes = 16, kLaneStep = 4'099;

float value_of(std::uint32_t word, const Drawn& how) {
  constexpr float kIntegers[] = {-2, -1, -1, 1, 1, 1, 2, 0};
  const float value = how.integers ? kIntegers[word % 8] : 2 * uniform01(word) - 1;
  return how.positive ? std::abs(value) + 0.5f : value;
}

std::vector<std::byte> draw(DType type, const Drawn& how, std::size_t count) {
  std::vector<std::byte> bytes(count * size_of(type));
  for (std::size_t i = 0; i < count; i += 4) {
    const Random4 words = random4(1, RandomPurpose::kInitialise, 0, 0, static_cast<std::uint32_t>(i / 4));
    for (std::size_t j = i; j < std::min(i + 4, count); ++j) {
      std::byte* at = bytes.data() + j * size_of(type);
      const float value = value_of(words.v[j - i], how);
      if (type == DType::kU8) {
        *at = static_cast<std::byte>(words.v[j - i] >> 24);
      } else if (type == DType::kBf16) {
        const Bf16 rounded(value);
        std::memcpy(at, &rounded, sizeof rounded);
      } else {
        std::memcpy(at, &value, sizeof value);
      }
    }
  }
  return bytes;
}

}  // namespace

std::span<const std::byte> drawn_values(DType type, std::int64_t elements, const Drawn& how, std::uint32_t lane) {
  static std::map<std::pair<DType, Drawn>, std::vector<std::byte>> drawn;
  auto& all = drawn[{type, how}];
  if (all.empty()) all = draw(type, how, static_cast<std::size_t>(kBlock) + kLanes * kLaneStep);
  const auto count = static_cast<std::size_t>(std::min(elements, kBlock));
  return std::span<const std::byte>(all).subspan(lane % kLanes * kLaneStep * size_of(type), count * size_of(type));
}

}  // namespace cudacards::bench
