// On random numbers every result is as near to the one in double precision as its sums allow: |err| <= c * eps *
// sqrt(terms) * sum|terms|.

#include <algorithm>

#include "tests/ops/implementations.h"
#include "tests/support/double_reference.h"
#include "tests/support/near_ties.h"

namespace cudacards::testing {
namespace {

constexpr double kC = 4;

class Bounds : public EveryImplementation {};

TEST_P(Bounds, HoldOnRandomNumbers) {
  double worst = 0;
  for_each_case(cases_of(GetParam().family), [&](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = without_near_ties(c, random_inputs(c));
    const RunOptions options;
    const DoubleOutputs expected = evaluate(c, DoubleInputs(inputs), options.step);
    const OpOutputs actual = run(c, implementation, inputs, options);
    const auto check = [&](const std::vector<float>& values, const Bounded& bounded, DType type, const char* what) {
      double ratio = 0;
      EXPECT_TRUE(within_bound(values, bounded, type, kC, &ratio)) << what;
      worst = std::max(worst, ratio);
    };
    check(actual.dst, expected.dst, c.dst_type, "dst");
    for (std::size_t i = 0; i < expected.diff_src.size(); ++i)
      check(actual.diff_src[i], expected.diff_src[i], c.type, "diff_src");
    for (std::size_t i = 0; i < expected.diff_parameters.size(); ++i) {
      check(actual.diff_parameters[i], expected.diff_parameters[i], DType::kF32, "diff_parameter");
    }
  });
  RecordProperty("largest_error_over_bound", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(Ops, Bounds, ::testing::ValuesIn(all_candidates()), candidate_name);

}  // namespace
}  // namespace cudacards::testing
