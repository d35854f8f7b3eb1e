// The two kinds of statistics of a batch norm, for every implementation.

#include <cmath>

#include "tests/ops/implementations.h"

namespace cudacards::testing {
namespace {

enum ParameterIndex : std::size_t { kGamma, kBeta, kMean, kVariance };

std::vector<Candidate> batch_norm_candidates() {
  auto candidates = all_candidates();
  std::erase_if(candidates, [](const Candidate& c) { return c.family != OpFamily::kBatchNorm; });
  return candidates;
}

float momentum_of(const OpCase& c) { return dynamic_cast<const BatchNorm&>(*c.operation).momentum; }

/// A result from the running statistics that the inputs hold.
float with_running_statistics(const OpCase& c, const OpInputs& inputs, std::size_t i) {
  const auto& op = dynamic_cast<const BatchNorm&>(*c.operation);
  const std::size_t ch = i % inputs.parameters[kGamma].size();
  const double normal =
      (static_cast<double>(inputs.src[0][i]) - static_cast<double>(inputs.parameters[kMean][ch])) /
      std::sqrt(static_cast<double>(inputs.parameters[kVariance][ch]) + static_cast<double>(op.epsilon));
  return static_cast<float>(apply(op.activation, normal * static_cast<double>(inputs.parameters[kGamma][ch]) +
                                                     static_cast<double>(inputs.parameters[kBeta][ch])));
}

float tolerance(DType type, float value) { return (type == DType::kBf16 ? 0x1p-8f : 0x1p-20f) * (1 + std::abs(value)); }

class BatchNormStatistics : public EveryImplementation {};

TEST_P(BatchNormStatistics, MoveTowardsTheBatchInTraining) {
  for_each_case(cases_of(OpFamily::kBatchNorm), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = random_inputs(c);
    const OpOutputs out = run(c, implementation, inputs);
    const std::size_t channels = inputs.parameters[kMean].size(), rows = inputs.src[0].size() / channels;
    for (std::size_t ch = 0; ch < channels; ++ch) {
      double mean = 0, variance = 0;
      for (std::size_t row = 0; row < rows; ++row) mean += static_cast<double>(inputs.src[0][row * channels + ch]);
      mean /= static_cast<double>(rows);
      for (std::size_t row = 0; row < rows; ++row) {
        variance += std::pow(static_cast<double>(inputs.src[0][row * channels + ch]) - mean, 2);
      }
      variance /= static_cast<double>(rows);
      const auto expect_moved = [&](ParameterIndex which, double batch) {
        const auto m = static_cast<double>(momentum_of(c));
        const double expected = m * static_cast<double>(inputs.parameters[which][ch]) + (1 - m) * batch;
        EXPECT_NEAR(static_cast<double>(out.parameters[which][ch]), expected, 1e-6);
      };
      expect_moved(kMean, mean);
      expect_moved(kVariance, variance);
    }
    EXPECT_EQ(out.parameters[kGamma], inputs.parameters[kGamma]);
    EXPECT_EQ(out.parameters[kBeta], inputs.parameters[kBeta]);
  });
}

TEST_P(BatchNormStatistics, AreTheRunningOnesInInferenceAndStay) {
  for_each_case(cases_of(OpFamily::kBatchNorm), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = random_inputs(c);
    for (const bool training_plan : {false, true}) {  // evaluation between the epochs uses the training plan
      const OpOutputs out = run(c, implementation, inputs, {.step = {.training = false}, .training = training_plan});
      EXPECT_EQ(out.parameters, inputs.parameters);
      for (std::size_t i = 0; i < out.dst.size(); ++i) {
        const float expected = with_running_statistics(c, inputs, i);
        ASSERT_NEAR(out.dst[i], expected, tolerance(c.dst_type, expected)) << "element " << i;
      }
    }
  });
}

TEST_P(BatchNormStatistics, OfAFrozenLayerAreTheRunningOnesInTrainingToo) {
  for_each_case(cases_of(OpFamily::kBatchNorm), [](const OpCase& c, const Implementation& implementation) {
    const auto& op = dynamic_cast<const BatchNorm&>(*c.operation);
    const OpInputs inputs = random_inputs(c);
    const OpOutputs out = run(c, implementation, inputs, {.frozen = true});
    EXPECT_EQ(out.parameters, inputs.parameters);
    for (std::size_t i = 0; i < out.dst.size(); ++i) {
      const float expected = with_running_statistics(c, inputs, i);
      ASSERT_NEAR(out.dst[i], expected, tolerance(c.dst_type, expected)) << "element " << i;
      const std::size_t ch = i % inputs.parameters[kGamma].size();
      const float slope = inputs.parameters[kGamma][ch] / std::sqrt(inputs.parameters[kVariance][ch] + op.epsilon) *
                          derivative_from_result(op.activation, out.dst[i]);
      const float diff = slope * inputs.diff_dst[i];
      ASSERT_NEAR(out.diff_src[0][i], diff, tolerance(c.type, diff)) << "gradient of element " << i;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Ops, BatchNormStatistics, ::testing::ValuesIn(batch_norm_candidates()), candidate_name);

}  // namespace
}  // namespace cudacards::testing
