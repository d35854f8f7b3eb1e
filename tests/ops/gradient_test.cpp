// The reference's gradients against central differences in double precision: eps 1e-6, atol 1e-5, rtol 1e-3.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/support/case_scope.h"
#include "tests/support/double_reference.h"
#include "tests/support/scoped_threads.h"

namespace cudacards::testing {
namespace {

constexpr double kEpsilon = 1e-6, kAbsolute = 1e-5, kRelative = 1e-3;
const Step kStep{.training = true, .seed = 99, .number = 5};

/// The scalar whose gradient backward computes: sum of dst * diff_dst.
double objective(const OpCase& c, const DoubleInputs& inputs) {
  const auto dst = evaluate(c, inputs, kStep).dst.value;
  return std::inner_product(dst.begin(), dst.end(), inputs.diff_dst.begin(), 0.0);
}

/// Compares up to 20 elements of one gradient. An element where both one-sided slopes differ sits on a kink (a ReLU or
/// a tie in a pool within epsilon) and has no gradient to compare.
void expect_gradient(const OpCase& c, DoubleInputs& inputs, std::vector<double>& variable,
                     const std::vector<double>& gradient, const char* what) {
  ASSERT_EQ(gradient.size(), variable.size()) << what;
  const double here = objective(c, inputs);
  const std::size_t stride = std::max<std::size_t>(1, variable.size() / 20);
  for (std::size_t i = 0; i < variable.size(); i += stride) {
    const double kept = variable[i];
    variable[i] = kept + kEpsilon;
    const double above = objective(c, inputs);
    variable[i] = kept - kEpsilon;
    const double below = objective(c, inputs);
    variable[i] = kept;
    if (std::abs((above - here) - (here - below)) > 2 * kAbsolute * kEpsilon) continue;
    const double slope = (above - below) / (2 * kEpsilon);
    ASSERT_NEAR(gradient[i], slope, kAbsolute + kRelative * std::abs(slope)) << what << " element " << i;
  }
}

void expect_gradients(const OpCase& c, std::uint32_t seed = 1) {
  SCOPED_TRACE(c.description);
  const ScopedThreads one(1);  // thousands of tiny evaluations
  DoubleInputs inputs{random_inputs(c, seed)};
  const DoubleOutputs outputs = evaluate(c, inputs, kStep);
  for (std::size_t i = 0; i < inputs.src.size(); ++i) {
    expect_gradient(c, inputs, inputs.src[i], outputs.diff_src[i].value, "diff_src");
  }
  for (std::size_t i = 0; i < outputs.diff_parameters.size(); ++i) {
    if (outputs.diff_parameters[i].value.empty()) continue;
    expect_gradient(c, inputs, inputs.parameters[i], outputs.diff_parameters[i].value, "diff_parameter");
  }
}

class GradientCheck : public ::testing::TestWithParam<OpFamily> {};

TEST_P(GradientCheck, AgreesWithCentralDifferencesOnTheEdges) {
  constexpr std::int64_t kLargest = 1000;  // elements of a source: a difference costs two forward passes
  for (const OpCase& c : selected(cases_of(GetParam()))) {
    const testing_support::CaseScope scope(c.description);
    const bool differs = c.type == DType::kF32 && c.diff_src != GradMode::kIgnore;
    if (differs && c.src[0].elements() <= kLargest) expect_gradients(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Reference, GradientCheck, ::testing::ValuesIn(op_families()),
                         [](const auto& info) { return name_of(info.param); });

RC_GTEST_PROP(GeneratedGradientCheck, ConvolutionAgreesWithCentralDifferences, ()) {
  const int groups = *rc::gen::inRange(1, 4);
  const Conv2dOptions options{
      .filters = groups * *rc::gen::inRange(1, 4),
      .kernel = {*rc::gen::inRange(1, 4), *rc::gen::inRange(1, 4)},
      .stride = {*rc::gen::inRange(1, 4), *rc::gen::inRange(1, 3)},
      .padding = *rc::gen::element(Padding::kSame, Padding::kValid),
      .groups = groups,
      .bias = *rc::gen::arbitrary<bool>(),
      .activation = *rc::gen::element(Activation::kNone, Activation::kRelu, Activation::kRelu6)};
  std::optional<Pool2dOptions> pool;
  if (*rc::gen::arbitrary<bool>())
    pool = Pool2dOptions{.window = *rc::gen::inRange(1, 4), .stride = *rc::gen::inRange(1, 4)};
  OpCase c{.operation = std::make_shared<Conv2d>(options, pool), .src = {}};
  c.src = {
      {*rc::gen::inRange(1, 3), *rc::gen::inRange(1, 8), *rc::gen::inRange(1, 8), groups * *rc::gen::inRange(1, 4)}};
  c.description = "conv2d " + c.src[0].to_string();
  try {
    (void)c.dst();
  } catch (const std::exception&) {
    RC_DISCARD("a window larger than the picture");
  }
  expect_gradients(c, *rc::gen::arbitrary<std::uint32_t>());
  RC_ASSERT(!::testing::Test::HasFailure());
}

RC_GTEST_PROP(GeneratedGradientCheck, BatchNormAgreesWithCentralDifferences, ()) {
  OpCase c{
      .operation = std::make_shared<BatchNorm>(0.9f, 1e-3f, *rc::gen::element(Activation::kNone, Activation::kRelu)),
      .src = {}};
  c.src = {{*rc::gen::inRange(2, 5), *rc::gen::inRange(1, 4), *rc::gen::inRange(1, 4), *rc::gen::inRange(1, 6)}};
  c.description = "batch_norm " + c.src[0].to_string();
  expect_gradients(c, *rc::gen::arbitrary<std::uint32_t>());
  RC_ASSERT(!::testing::Test::HasFailure());
}

}  // namespace
}  // namespace cudacards::testing
