// On small integers every partial sum is exact, whatever the order and the type: the only right result is the same one.

#include <algorithm>

#include "tests/ops/implementations.h"
#include "tests/support/double_reference.h"

namespace cudacards::testing {
namespace {

bool is_power_of_two(std::int64_t x) { return (x & (x - 1)) == 0; }

/// Operations that only add, multiply and choose; the others divide or take roots.
bool is_exact(const OpCase& c) {
  const Operation* op = c.operation.get();
  if (dynamic_cast<const Softmax*>(op) || dynamic_cast<const BatchNorm*>(op)) return false;
  if (dynamic_cast<const GlobalAveragePool2d*>(op)) return is_power_of_two(c.src[0][1] * c.src[0][2]);
  // The largest of so many small integers is always the same: a constant proves nothing.
  if (const auto* pool = dynamic_cast<const MaxPool2d*>(op))
    return pool->options.window.h * pool->options.window.w <= 256;
  if (const auto* dropout = dynamic_cast<const Dropout*>(op)) return dropout->rate == 0.0f || dropout->rate == 0.5f;
  return true;
}

struct Expectation {
  OpInputs inputs;
  DoubleOutputs outputs;
};

bool is_trusted(const DoubleOutputs& outputs) {
  const auto is_trusted_tensor = [](const Bounded& tensor) { return static_cast<bool>(trusted(tensor.value)); };
  return is_trusted_tensor(outputs.dst) &&
         std::all_of(outputs.diff_src.begin(), outputs.diff_src.end(), is_trusted_tensor);
}

/// The first inputs that lead to results which prove something: an unlucky draw has every ReLU closed.
Expectation expectation(const OpCase& c, const Step& step) {
  constexpr std::uint32_t kDraws = 20;
  for (std::uint32_t seed = 1; seed <= kDraws; ++seed) {
    OpInputs inputs = integer_inputs(c, seed);
    DoubleOutputs outputs = evaluate(c, DoubleInputs(inputs), step);
    if (is_trusted(outputs)) return {std::move(inputs), std::move(outputs)};
  }
  ADD_FAILURE() << "mistrusted: " << kDraws << " draws of inputs give zeros or constants";
  return {};
}

void expect_exact(const OpCase& c, const Implementation& implementation) {
  const RunOptions options;
  const auto [inputs, expected] = expectation(c, options.step);
  if (inputs.src.empty()) return;
  const OpOutputs actual = run(c, implementation, inputs, options);
  EXPECT_TRUE(exact(actual.dst, expected.dst.value, c.dst_type)) << "dst";
  for (std::size_t i = 0; i < expected.diff_src.size(); ++i) {
    EXPECT_TRUE(exact(actual.diff_src[i], expected.diff_src[i].value, c.type)) << "diff_src " << i;
  }
  for (std::size_t i = 0; i < expected.diff_parameters.size(); ++i) {
    EXPECT_TRUE(exact(actual.diff_parameters[i], expected.diff_parameters[i].value, DType::kF32))
        << "diff_parameter " << i;
  }
}

std::vector<OpCase> exact_cases(OpFamily family) {
  auto cases = cases_of(family);
  std::erase_if(cases, [](const OpCase& c) { return !is_exact(c); });
  return cases;
}

class Exact : public EveryImplementation {};

TEST_P(Exact, OnSmallIntegersForwardAndBackward) {
  const auto cases = exact_cases(GetParam().family);
  if (cases.empty()) GTEST_SKIP() << "divides or takes roots: see Bounds";
  for_each_case(cases, expect_exact);
}

INSTANTIATE_TEST_SUITE_P(Ops, Exact, ::testing::ValuesIn(all_candidates()), candidate_name);

class ExactConvolution : public EveryImplementation {};

TEST_P(ExactConvolution, OnThreeHundredGeneratedProblems) { for_each_case(generated_convolutions(300), expect_exact); }

std::vector<Candidate> convolution_candidates() {
  auto candidates = all_candidates();
  std::erase_if(candidates, [](const Candidate& c) { return c.family != OpFamily::kConv2d; });
  return candidates;
}

INSTANTIATE_TEST_SUITE_P(Ops, ExactConvolution, ::testing::ValuesIn(convolution_candidates()), candidate_name);

}  // namespace
}  // namespace cudacards::testing
