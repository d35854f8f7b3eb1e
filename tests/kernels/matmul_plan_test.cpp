// How products are cut: the tiles and slices of the models' layers, and the edges of the arithmetic.

#include "kernels/matmul/plan.h"

#include <gtest/gtest.h>

#include "kernels/dense/dense.h"

namespace cudacards::testing {
namespace {

constexpr MatmulTuning kH200 = matmul_tuning({9, 0});
constexpr TileShape kLarge = TileShape::kLarge, kFlat = TileShape::kFlat, kNarrow = TileShape::kNarrow;

MatmulPlan split(int m, int n, int k) { return plan_matmul({m, n, k}, kH200, SplitK::kYes); }
MatmulPlan whole(int m, int n, int k) { return plan_matmul({m, n, k}, kH200, SplitK::kNo); }

TEST(MatmulPlan, CutsTheModelsLayersAsIntended) {
  EXPECT_EQ(split(32, 128, 100352), (MatmulPlan{kFlat, 132}));   // dense1, forward: one tile
  EXPECT_EQ(split(32, 256, 150528), (MatmulPlan{kFlat, 66}));    // two tiles
  EXPECT_EQ(whole(32, 100352, 128), (MatmulPlan{kFlat, 1}));     // its dgrad
  EXPECT_EQ(split(128, 100352, 32), (MatmulPlan{kLarge, 1}));    // its wgrad
  EXPECT_EQ(whole(128, 100352, 32), (MatmulPlan{kLarge, 1}));    // with Adam
  EXPECT_EQ(split(1, 53, 1280), (MatmulPlan{kFlat, 5}));         // a head, one picture
  EXPECT_EQ(split(100352, 24, 96), (MatmulPlan{kNarrow, 1}));    // 1 x 1, projection
  EXPECT_EQ(split(100352, 96, 16), (MatmulPlan{kLarge, 1}));     // expansion
  EXPECT_EQ(split(24, 96, 100352), (MatmulPlan{kFlat, 132}));    // wgrad of the projection
  EXPECT_EQ(split(96, 16, 100352), (MatmulPlan{kNarrow, 132}));  // of the expansion
  EXPECT_EQ(whole(40, 256, 64), (MatmulPlan{kFlat, 1}));         // two large tiles would leave the device idle
}

TEST(MatmulPlan, ChangesShapeAtTheTilesEdges) {
  EXPECT_EQ(split(33, 33, 64).shape, kLarge);
  EXPECT_EQ(split(32, 33, 64).shape, kFlat);
  EXPECT_EQ(split(33, 32, 64).shape, kNarrow);
  EXPECT_EQ(split(32, 32, 64).shape, kFlat);
  EXPECT_EQ(whole(128, 128 * 132, 64).shape, kLarge);
  EXPECT_EQ(whole(128, 128 * 131, 64).shape, kFlat);
}

TEST(MatmulPlan, TakesTheTuningOfTheArchitectureOrTheNextOlder) {
  EXPECT_EQ(matmul_tuning({9, 0}).blocks_wanted, 132);
  EXPECT_EQ(matmul_tuning({12, 0}).blocks_wanted, 132);
  EXPECT_EQ(matmul_tuning({8, 9}).blocks_wanted, 108);
  EXPECT_EQ(matmul_tuning({7, 0}).blocks_wanted, 108);
  DenseProblem problem{.rows = 32, .in = 100352, .units = 128, .arch = {8, 0}};
  EXPECT_LT(dense_forward_workspace_bytes(problem),
            dense_forward_workspace_bytes({.rows = 32, .in = 100352, .units = 128}));
}

TEST(Slices, CoverTheSumWithoutAnEmptyOne) {
  for (const int k : {1, 63, 64, 65, 128, 129, 1000, 100352, 150528}) {
    for (const int wanted : {1, 2, 3, 66, 132, 65535}) {
      const Slices slices = slices_of(k, wanted);
      EXPECT_EQ(slices.length % 64, 0);
      EXPECT_LE(slices.count, wanted);
      EXPECT_GE(std::int64_t{slices.count} * slices.length, k);
      EXPECT_LT(std::int64_t{slices.count - 1} * slices.length, k) << k << " in " << wanted;
    }
  }
}

TEST(Workspace, HoldsPaddedSumsOfEverySlice) {
  EXPECT_EQ(workspace_bytes({.m = 3, .n = 5, .k = 1000}, {kFlat, 1}), 0u);
  EXPECT_EQ(workspace_bytes({.m = 3, .n = 5, .k = 64}, {kFlat, 2}), 0u);  // one slice is enough
  EXPECT_EQ(workspace_bytes({.m = 3, .n = 5, .k = 128}, {kFlat, 2}), 2 * (3 * 8 + 4) * sizeof(float));
  EXPECT_EQ(dense_forward_workspace_bytes({.rows = 32, .in = 100352, .units = 128}),
            static_cast<std::size_t>(slices_of(100352, 132).count) * (32 * 128 + 32) * sizeof(float));
  EXPECT_EQ(dense_wgrad_workspace_bytes({.rows = 32, .in = 100352, .units = 128}), 0u);
}

TEST(DenseProblem, KnowsItsWork) {
  const DenseProblem p{.rows = 32, .in = 100352, .units = 128};
  EXPECT_EQ(p.flops(), 2LL * 32 * 100352 * 128);
  EXPECT_EQ(p.bytes(DType::kBf16), 2LL * (32 * 100352 + 128 * 100352 + 32 * 128));
  EXPECT_EQ(p.bytes(DType::kF32), 2 * p.bytes(DType::kBf16));
  EXPECT_EQ(p.wgrad_bytes(DType::kBf16), 2LL * (32 * 100352 + 32 * 128) + 4LL * 128 * 100352);
  EXPECT_EQ(p.wgrad_adam_bytes(DType::kBf16), 2LL * (32 * 100352 + 32 * 128) + 26LL * 128 * 100352);
  EXPECT_EQ(p.wgrad_adam_bytes(DType::kF32), 4LL * (32 * 100352 + 32 * 128) + 24LL * 128 * 100352);
}

}  // namespace
}  // namespace cudacards::testing
