// bfloat16 conversion: exact where it can be, nearest with ties to even elsewhere.

#include "kernels/base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cudacards {
namespace {

float through_bf16(float x) { return static_cast<float>(Bf16(x)); }

TEST(Bf16, EveryValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    Bf16 x;
    x.bits = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(x);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(through_bf16(value))) << bits;
    } else {
      ASSERT_EQ(Bf16(value).bits, bits);
    }
  }
}

TEST(Bf16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(through_bf16(1 + 0x1p-8f), 1.0f) << "halfway, down to even";
  EXPECT_EQ(through_bf16(1 + 3 * 0x1p-8f), 1 + 4 * 0x1p-8f) << "halfway, up to even";
  EXPECT_EQ(through_bf16(1 + 0x1.02p-8f), 1 + 0x1p-7f) << "just above halfway";
  EXPECT_EQ(through_bf16(-(1 + 0x1p-8f)), -1.0f);
}

TEST(Bf16, OverflowsToInfinityAndKeepsNan) {
  EXPECT_EQ(through_bf16(std::numeric_limits<float>::max()), INFINITY);
  EXPECT_EQ(through_bf16(-INFINITY), -INFINITY);
  EXPECT_TRUE(std::isnan(through_bf16(std::numeric_limits<float>::quiet_NaN())));
}

TEST(DType, SizesAreThoseOfTheStorage) {
  EXPECT_EQ(size_of(DType::kF32), sizeof(float));
  EXPECT_EQ(size_of(DType::kBf16), sizeof(Bf16));
  EXPECT_EQ(size_of(DType::kU8), sizeof(std::uint8_t));
}

}  // namespace
}  // namespace cudacards
