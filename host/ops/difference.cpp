#include <cmath>

#include <fmt/format.h>

#include "host/ops/measure.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

// Of both: what is compared and what it is compared with are off by at most this many times the bound, as the tests of
// the implementations prove (tests/ops/bounds_test.cpp).
constexpr double kC = 2 * 4;
constexpr double kTiny = 1e-37;  // denormal results may be flushed

double unit_roundoff(DType type) { return std::ldexp(1.0, type == DType::kBf16 ? -9 : -24); }

/// Of what is multiplied.
double unit_roundoff_of_factors(const Problem& problem) {
  if (problem.src[0].type == DType::kBf16) return std::ldexp(1.0, -9);
  return problem.tf32 ? std::ldexp(1.0, -11) : 0;
}

struct Tolerance {
  double sums = 0;      // of every element
  double relative = 0;  // of the element: what is stored is rounded, by both, and a step before may have been too
};

// Errors of factors that were rounded are independent: of `made` of them, each at most u, the sum is beyond 6 u
// sqrt(made) once in 10^7 times at most (Hoeffding's inequality).
constexpr double kFactors = 6;

Tolerance tolerance_of(const ErrorScale& scale, const Problem& problem, DType type, bool sums_are_exact) {
  if (sums_are_exact) return {0, 4 * unit_roundoff(type)};
  const double sums = kC * unit_roundoff(DType::kF32) * std::sqrt(scale.terms) * scale.magnitude;
  const double factors = kFactors * unit_roundoff_of_factors(problem) * std::sqrt(scale.made);
  return {sums + factors, 4 * unit_roundoff(type)};
}

void compare(const std::vector<float>& actual, const std::vector<float>& expected, const Tolerance& tolerance,
             const char* name, Difference& worst) {
  CUDACARDS_CHECK(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    const double off = std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
    const double ratio =
        off / (tolerance.sums + tolerance.relative * std::abs(static_cast<double>(expected[i])) + kTiny);
    if (ratio <= worst.error) continue;
    // A NaN, of which nothing is larger.
    worst = {std::isnan(ratio) ? HUGE_VAL : ratio,
             fmt::format("{}, element {}: {} instead of {}", name, i, actual[i], expected[i])};
  }
}

}  // namespace

Difference difference(const TrialOutputs& actual, const TrialOutputs& expected, const ErrorScales& scales,
                      const Problem& problem, TrialData data) {
  Difference worst;
  const bool exact = scales.is_exact_on_whole_numbers;
  const bool sums_are_exact = exact && data == TrialData::kWhole;
  compare(actual.dst, expected.dst,
          tolerance_of(scales.dst, problem, problem.dst.type, exact && data != TrialData::kRandom), "dst", worst);
  if (exact && data == TrialData::kRandom) return worst;
  for (std::size_t i = 0; i < expected.diff_src.size(); ++i) {
    compare(actual.diff_src[i], expected.diff_src[i],
            tolerance_of(scales.diff_src, problem, problem.src[i].type, sums_are_exact), "diff_src", worst);
  }
  for (std::size_t i = 0; i < expected.diff_parameters.size(); ++i) {
    compare(actual.diff_parameters[i], expected.diff_parameters[i],
            tolerance_of(scales.diff_parameters[i], problem, DType::kF32, sums_are_exact), "diff_parameters", worst);
  }
  return worst;
}

}  // namespace cudacards
