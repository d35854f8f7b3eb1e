#pragma once
// Three ways to compare a tensor with what it should be: the same bits of meaning, within a derived bound, not at all
// trustworthy.

#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "kernels/base/dtype.h"

namespace cudacards::testing {

/// A result in double with what is needed to bound the error of computing it in fewer bits: |err| <= c * eps *
/// sqrt(terms) * magnitude, magnitude = sum of |terms| an element.
struct Bounded {
  std::vector<double> value, magnitude;
  double terms = 1;
};

/// Every element equal to the expected one rounded to `type`; reports the first that is not.
::testing::AssertionResult exact(std::span<const float> actual, std::span<const double> expected, DType type);

/// Within `c` times the bound, for sums in fp32 and results stored as `type`. `worst` (may be null) becomes the largest
/// error / bound seen.
::testing::AssertionResult within_bound(std::span<const float> actual, const Bounded& expected, DType type, double c,
                                        double* worst = nullptr);

/// A comparison proves little where nearly all expected values are zero (over 95 %, and fewer than 16 others) or all
/// are the same. Tensors of 8 elements or fewer pass.
::testing::AssertionResult trusted(std::span<const double> expected);

}  // namespace cudacards::testing
