// What batch norm refuses, its sizes, and how its blocks lie on the rows: nothing here needs a device.

#include <gmock/gmock.h>

#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm/slab.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

TEST(BatchNormSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(batch_norm_supports({}, DType::kF32));
  EXPECT_TRUE(
      batch_norm_supports({.rows = (std::int64_t{1} << 31) - 1, .channels = 1 << 20, .epsilon = 0}, DType::kBf16));
  EXPECT_THAT(batch_norm_supports({}, DType::kU8).reason(), HasSubstr("uint8"));
  for (const std::int64_t rows : {std::int64_t{0}, std::int64_t{1} << 31})
    EXPECT_THAT(batch_norm_supports({.rows = rows}, DType::kF32).reason(), HasSubstr("rows"));
  for (const int channels : {0, (1 << 20) + 1})
    EXPECT_THAT(batch_norm_supports({.channels = channels}, DType::kF32).reason(), HasSubstr("channels"));
  for (const float wrong : {-1e-9f, NAN})
    EXPECT_THAT(batch_norm_supports({.epsilon = wrong}, DType::kF32).reason(), HasSubstr("epsilon"));
  for (const float wrong : {-0.1f, 1.1f, NAN})
    EXPECT_THAT(batch_norm_supports({.momentum = wrong}, DType::kF32).reason(), HasSubstr("momentum"));
}

TEST(BatchNormProblem, CountsBytes) {
  const BatchNormProblem p{.rows = 10, .channels = 3};
  EXPECT_EQ(p.training_bytes(DType::kF32), 360);
  EXPECT_EQ(p.inference_bytes(DType::kBf16), 120);
  EXPECT_EQ(p.backward_bytes(DType::kBf16), 300);
  EXPECT_EQ(p.training_flops(), 255);
  EXPECT_EQ((FoldBatchNormProblem{.filters = 2, .per_filter = 9}.bytes(DType::kBf16)), 108);
}

TEST(BatchNormGeometry, EveryRowAndColumnHasOneBlock) {
  for (const int channels : {1, 3, 8, 12, 53, 128, 132, 264, 1280, 33792, 1 << 20}) {
    for (const std::int64_t rows : {1, 2, 31, 32, 33, 1000, 401408}) {
      for (const int blocks : {1, 7, 528}) {
        const int vector = batch_norm_vector(channels, DType::kF32);
        const SlabGeometry g = slab_geometry({.rows = rows, .channels = channels}, vector, blocks);
        EXPECT_EQ(g.vectors * vector, channels);
        EXPECT_GE(g.groups * g.columns, g.vectors);
        EXPECT_LT((g.groups - 1) * g.columns, g.vectors) << "an empty group";
        EXPECT_LE(g.columns, 32);
        EXPECT_TRUE(g.groups == 1 || g.columns % 2 == 0) << "a sector in two blocks";
        EXPECT_LE(g.lanes * g.columns, kBatchNormThreads);
        EXPECT_GE(g.slabs * g.rows_per_slab, rows);
        EXPECT_LT((g.slabs - 1) * g.rows_per_slab, rows) << "an empty slab";
        EXPECT_LE(g.slabs * g.groups, std::max(blocks, g.groups));
        EXPECT_TRUE(g.slabs == 1 || 2 * g.rows_per_slab >= g.lanes * kRowsAtOnce) << "hardly any work";
      }
    }
  }
  EXPECT_EQ(batch_norm_vector(12, DType::kBf16), 1);
  EXPECT_EQ(batch_norm_vector(16, DType::kBf16), 8);
}

TEST(BatchNormLauncher, RefusesWhatItCannotDo) {
  alignas(16) float memory[8] = {};
  EXPECT_EQ(batch_norm_workspace({.rows = 0}, DType::kF32), 0u);
  EXPECT_EQ(batch_norm_workspace({.rows = 2, .channels = 3}, DType::kF32), 2 * (1 + 1) * 3 * sizeof(float));
  EXPECT_THAT(batch_norm_training({.rows = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("training: rows"));
  EXPECT_THAT(batch_norm_inference({.rows = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("inference: rows"));
  EXPECT_THAT(batch_norm_backward({.rows = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("backward: rows"));
  for (int which = 0; which < 4; ++which) {
    const auto at = [&](int i) { return memory + (which == i); };
    if (which < 3) {
      EXPECT_THAT(
          batch_norm_training({}, DType::kF32, {.src = at(0), .dst = at(1), .workspace = at(2)}, nullptr).reason(),
          HasSubstr("aligned"));
    }
    if (which < 2) {
      EXPECT_THAT(batch_norm_inference({}, DType::kF32, {.src = at(0), .dst = at(1)}, nullptr).reason(),
                  HasSubstr("aligned"));
    }
    EXPECT_THAT(batch_norm_backward({}, DType::kF32,
                                    {.src = at(0), .diff_dst = at(1), .diff_src = at(2), .workspace = at(3)}, nullptr)
                    .reason(),
                HasSubstr("aligned"));
  }
}

}  // namespace
}  // namespace cudacards::testing
