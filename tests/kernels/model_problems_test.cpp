// The tables that other tests take from the models hold every layer, with the models' own channels.

#include "tests/kernels/support/model_problems.h"

#include <gmock/gmock.h>

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_pool/conv_pool.h"

namespace cudacards::testing {
namespace {

using ::testing::IsEmpty;

TEST(ModelProblems, LeaveNoLayerWithoutAKernel) { EXPECT_THAT(model_problems().left_over, IsEmpty()); }

TEST(ModelProblems, AreSupported) {
  for (const auto& [name, p] : model_problems().conv2d) EXPECT_TRUE(conv2d_is_valid(p, DType::kBf16)) << name;
  for (const auto& [name, p] : model_problems().conv_pool) EXPECT_TRUE(conv_pool_supports(p, DType::kBf16)) << name;
}

TEST(ModelProblems, HaveTheModelsChannelsAndSmallPictures) {
  const auto& pools = model_problems().conv_pool;
  ASSERT_GE(pools.size(), 3u);
  EXPECT_EQ(pools[2].name, "cnn_conv2d_2_max_pooling2d_2");
  EXPECT_EQ(pools[2].problem, conv_pool_problem(1, 6, 8, 64, 128));
  const auto& dense = model_problems().dense;
  ASSERT_GE(dense.size(), 2u);
  EXPECT_EQ(dense[0].problem,
            (DenseProblem{.rows = 3, .in = 2 * 2 * 128, .units = 128, .activation = Activation::kRelu}));
  EXPECT_EQ(dense[1].problem, (DenseProblem{.rows = 3, .in = 128, .units = 53}));
}

}  // namespace
}  // namespace cudacards::testing
