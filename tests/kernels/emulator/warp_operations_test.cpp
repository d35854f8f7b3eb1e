// Shuffles, votes, reductions and matrix products give what CUDA's documentation says, whatever the order of the lanes.

#include "tests/kernels/emulator/warp_operations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "kernels/simt/emulator/emulator.h"

namespace cudacards::testing {
namespace {

using emulator::Order;

class WarpOperations : public ::testing::TestWithParam<Order> {
 protected:
  void SetUp() override { emulator::settings().order = GetParam(); }
  void TearDown() override { emulator::settings() = {}; }
};

TEST_P(WarpOperations, ExchangeAndReduceRegisters) {
  Lanes in;
  for (int i = 0; i < 32; ++i) in[static_cast<std::size_t>(i)] = static_cast<float>(i * 7 % 32);
  WarpResults r;
  const Status status = run_warp_operations(in, r);
  ASSERT_TRUE(status) << status.reason();
  for (std::size_t lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(r.index[lane], in[31 - lane]);
    EXPECT_EQ(r.up[lane], in[lane >= 3 ? lane - 3 : lane]);
    EXPECT_EQ(r.down[lane], in[lane + 5 < 32 ? lane + 5 : lane]);
    EXPECT_EQ(r.xored[lane], in[lane ^ 9]);
    EXPECT_EQ(r.segment[lane], in[lane % 8 + 3 < 8 ? lane + 3 : lane]);
    EXPECT_EQ(r.ballot[lane], 28.0f);  // of 0 ... 31 those above 3
    EXPECT_EQ(r.all[lane], 1.0f);
    EXPECT_EQ(r.any[lane], 0.0f);
    EXPECT_EQ(r.added[lane], 496.0f);
    EXPECT_EQ(r.largest[lane], 31.0f);
    EXPECT_EQ(r.sum[lane], 496.0f);
    EXPECT_EQ(r.maximum[lane], 31.0f);
  }
}

/// Small whole numbers, all different in every row and column: exact in bf16, fp16 and tf32, and no transposition goes
/// unseen.
std::vector<float> numbers(int count, int step) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<int>(i * static_cast<std::size_t>(step) % 23) - 11);
  return values;
}

std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, std::vector<float> d, int depth) {
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 8; ++column) {
      for (int k = 0; k < depth; ++k)
        d[static_cast<std::size_t>(row * 8 + column)] +=
            a[static_cast<std::size_t>(row * depth + k)] * b[static_cast<std::size_t>(k * 8 + column)];
    }
  }
  return d;
}

TEST_P(WarpOperations, MultiplyMatricesOf16Bits) {
  const std::vector<float> a = numbers(16 * 16, 5), b = numbers(16 * 8, 7), before = numbers(16 * 8, 3);
  for (const Matrix16 kind : {Matrix16::kBf16, Matrix16::kFp16, Matrix16::kBf16Transposed}) {
    std::vector<float> d = before;
    const Status status = run_matrix16(kind, a, b, d);
    ASSERT_TRUE(status) << status.reason();
    EXPECT_EQ(d, product(a, b, before, 16)) << static_cast<int>(kind);
  }
}

TEST_P(WarpOperations, MultiplyMatricesOfTf32) {
  const std::vector<float> a = numbers(16 * 8, 5), b = numbers(8 * 8, 7), before = numbers(16 * 8, 3);
  std::vector<float> d = before;
  const Status status = run_matrix_tf32(a, b, d);
  ASSERT_TRUE(status) << status.reason();
  EXPECT_EQ(d, product(a, b, before, 8));
}

INSTANTIATE_TEST_SUITE_P(Orders, WarpOperations, ::testing::Values(Order::kForward, Order::kReverse, Order::kShuffled));

}  // namespace
}  // namespace cudacards::testing
