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

struct Tolerance {
  double sums = 0;      // of every element
  double relative = 0;  // of the element: what is stored is rounded, by both, and a step before may have been too
};

Tolerance tolerance_of(const ErrorScale& scale, DType type, bool sums_are_exact) {
  const double sums = sums_are_exact ? 0 : kC * unit_roundoff(DType::kF32) * std::sqrt(scale.terms) * scale.magnitude;
  return {sums, 4 * unit_roundoff(type)};
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
  compare(actual.dst, expected.dst, tolerance_of(scales.dst, problem.dst.type, exact && data != TrialData::kRandom),
          "dst", worst);
  if (exact && data == TrialData::kRandom) return worst;
  for (std::size_t i = 0; i < expected.diff_src.size(); ++i) {
    compare(actual.diff_src[i], expected.diff_src[i],
            tolerance_of(scales.diff_src, problem.src[i].type, sums_are_exact), "diff_src", worst);
  }
  for (std::size_t i = 0; i < expected.diff_parameters.size(); ++i) {
    compare(actual.diff_parameters[i], expected.diff_parameters[i],
            tolerance_of(scales.diff_parameters[i], DType::kF32, sums_are_exact), "diff_parameters", worst);
  }
  return worst;
}

}  // namespace cudacards
