// tf32 on the host: nearest, ties away from zero, as cvt.rna.tf32.f32 rounds.

#include "kernels/base/factors.h"

#include <gtest/gtest.h>

#include <limits>

namespace cudacards {
namespace {

TEST(Tf32, KeepsTenBitsOfMantissa) {
  for (const float x : {0.0f, 1.0f, -2.5f, 1 + 0x1p-10f, 2047.0f, 0x1p-126f, 0x1.ffcp127f})
    EXPECT_EQ(rounded_to_tf32(x), x);
}

TEST(Tf32, RoundsToNearestTiesAwayFromZero) {
  EXPECT_EQ(rounded_to_tf32(1 + 0x1p-11f), 1 + 0x1p-10f) << "halfway";
  EXPECT_EQ(rounded_to_tf32(-1 - 0x1p-11f), -1 - 0x1p-10f);
  EXPECT_EQ(rounded_to_tf32(1 + 0x1.ffcp-12f), 1.0f) << "below halfway";
  EXPECT_EQ(rounded_to_tf32(1 + 0x1.004p-11f), 1 + 0x1p-10f) << "above halfway";
}

TEST(Tf32, KeepsWhatIsNoNumber) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(rounded_to_tf32(-kInfinity), -kInfinity);
  EXPECT_EQ(rounded_to_tf32(std::numeric_limits<float>::max()), kInfinity) << "beyond the largest";
  std::uint32_t all_ones = 0x7fffffffu;
  float nan;
  std::memcpy(&nan, &all_ones, sizeof nan);
  EXPECT_TRUE(std::isnan(rounded_to_tf32(nan))) << "adding half a unit would carry it to -0";
}

}  // namespace
}  // namespace cudacards
