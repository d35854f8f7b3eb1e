#include "tests/support/compare.h"

#include <algorithm>
#include <cmath>

namespace cudacards::testing {
namespace {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

double unit_roundoff(DType type) { return type == DType::kBf16 ? std::ldexp(1.0, -9) : std::ldexp(1.0, -24); }

float rounded(double value, DType type) {
  const auto single = static_cast<float>(value);
  return type == DType::kBf16 ? static_cast<float>(Bf16(single)) : single;
}

}  // namespace

AssertionResult exact(std::span<const float> actual, std::span<const double> expected, DType type) {
  if (actual.size() != expected.size())
    return AssertionFailure() << actual.size() << " elements, expected " << expected.size();
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const float want = rounded(expected[i], type);
    if (actual[i] == want) continue;
    const auto wrong = std::count_if(actual.begin(), actual.end(), [&](const float& x) {
      return x != rounded(expected[static_cast<std::size_t>(&x - actual.data())], type);
    });
    return AssertionFailure() << wrong << " of " << actual.size() << " differ; element " << i << " is " << actual[i]
                              << ", expected " << want;
  }
  return AssertionSuccess();
}

AssertionResult within_bound(std::span<const float> actual, const Bounded& expected, DType type, double c,
                             double* worst) {
  if (actual.size() != expected.value.size()) {
    return AssertionFailure() << actual.size() << " elements, expected " << expected.value.size();
  }
  double largest = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double sum_error = unit_roundoff(DType::kF32) * std::sqrt(expected.terms) * expected.magnitude[i];
    const double bound = c * sum_error + 2 * unit_roundoff(type) * std::abs(expected.value[i]) + 1e-37;
    const double ratio = std::abs(static_cast<double>(actual[i]) - expected.value[i]) / bound;
    if (ratio <= largest) continue;  // a NaN falls through
    largest = ratio;
    at = i;
    if (std::isnan(ratio)) break;
  }
  if (worst) *worst = largest;
  if (largest <= 1) return AssertionSuccess();
  return AssertionFailure() << "element " << at << " is " << actual[at] << ", expected " << expected.value[at]
                            << ": error / bound = " << largest;
}

AssertionResult trusted(std::span<const double> expected) {
  if (expected.size() <= 8) return AssertionSuccess();
  const auto zeros = std::count(expected.begin(), expected.end(), 0.0);
  const auto others = static_cast<std::ptrdiff_t>(expected.size()) - zeros;
  if (others < 16 && static_cast<double>(zeros) > 0.95 * static_cast<double>(expected.size())) {
    return AssertionFailure() << "mistrusted: " << zeros << " of " << expected.size() << " expected values are zero";
  }
  const bool constant = std::all_of(expected.begin(), expected.end(), [&](double x) { return x == expected[0]; });
  if (constant) return AssertionFailure() << "mistrusted: all expected values are " << expected[0];
  return AssertionSuccess();
}

}  // namespace cudacards::testing
