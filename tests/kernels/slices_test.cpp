// Partial sums of slices, few and many, through the weights' gradient of a convolution: whatever the number of slices,
// sums of integers come out the same.

#include "kernels/simt/slice_grid.h"

#include <gtest/gtest.h>

#include "kernels/conv2d/conv2d.h"
#include "tests/kernels/support/conv2d.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

TEST(SliceBlocks, HoldMorePlacesWhereAThreadAddsAllSlices) {
  EXPECT_EQ(slice_blocks(256, 15), 1);
  EXPECT_EQ(slice_blocks(257, 15), 2);
  EXPECT_EQ(slice_blocks(256, 16), 8);
  EXPECT_EQ(slice_blocks(257, 16), 9);
  EXPECT_EQ(slice_blocks(1, 1), 1);
}

// 33 weights and 3 biases: a place more than a warp, and a ragged second block.
constexpr Conv2dProblem kProblem = {.n = 2, .h = 24, .w = 25, .c = 11, .k = 3, .r = 1, .s = 1};

std::vector<float> gradients(int slices) {
  const DeviceArray<float> src(stored<float>(integers(1, kProblem.src_elements())), "src"),
      diff_dst(stored<float>(integers(2, kProblem.dst_elements())), "diff_dst");
  DeviceArray<float> diff_weights(33, "diff_weights"), diff_bias(3, "diff_bias");
  const Conv2dChoice choice = {.path = Conv2dPath::kSimt, .slices = slices};
  DeviceArray<std::byte> workspace(conv2d_backward_weights_workspace(kProblem, DType::kF32, choice), "workspace");
  CUDACARDS_EXPECT_RUNS(conv2d_backward_weights(kProblem, DType::kF32,
                                                {.src = src.data(),
                                                 .diff_dst = diff_dst.data(),
                                                 .diff_weights = diff_weights.data(),
                                                 .diff_bias = diff_bias.data(),
                                                 .workspace = workspace.data()},
                                                nullptr, choice));
  std::vector<float> all = diff_weights.read();
  const std::vector<float> bias = diff_bias.read();
  all.insert(all.end(), bias.begin(), bias.end());
  return all;
}

struct SumOfSlices : KernelTest {};

TEST_F(SumOfSlices, IsTheSameForAnyNumberOfThem) {
  const std::vector<float> whole = gradients(1);
  for (const int slices : {2, 15, 16, 17, 40, 150}) {
    EXPECT_EQ(in_every_order([&] { return gradients(slices); }), whole) << slices << " slices";
  }
}

TEST_F(SumOfSlices, ReadsAndWritesWholeSectors) {
  const TrafficLimit ragged = {.global_load = 1.2, .global_store = 1.2};  // 36 of a warp's 32 + 32 places are there
  for (const int slices : {15, 40}) expect_traffic("reduce_kernel", ragged, [&] { gradients(slices); });
}

}  // namespace
}  // namespace cudacards::testing
