// Products of sizes against a limit, where the product itself would not fit.

#include "kernels/base/sizes.h"

#include <gtest/gtest.h>

#include <limits>

namespace cudacards {
namespace {

TEST(ProductExceeds, ComparesExactlyAtTheLimit) {
  EXPECT_FALSE(product_exceeds(60, {3, 4, 5}));
  EXPECT_TRUE(product_exceeds(59, {3, 4, 5}));
  EXPECT_FALSE(product_exceeds(1, {}));
  EXPECT_FALSE(product_exceeds(7, {7}));
  EXPECT_TRUE(product_exceeds(7, {8}));
  EXPECT_TRUE(product_exceeds(8, {3, 3}));
}

TEST(ProductExceeds, DoesNotOverflow) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(product_exceeds(kLargest, {1 << 30, 1 << 30, 1 << 30, 1 << 30}));
  EXPECT_FALSE(product_exceeds(kLargest, {kLargest, 1}));
  EXPECT_TRUE(product_exceeds(kLargest, {2, kLargest}));
}

}  // namespace
}  // namespace cudacards
