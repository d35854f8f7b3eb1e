// Before anything is timed, results are compared: whoever is wrong anywhere, or fails, is refused, and nobody who is
// right is.

#include "host/ops/measure.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "host/ops/folded_conv2d.h"
#include "host/ops/precision.h"
#include "host/runtime/threads.h"
#include "tests/ops/implementations.h"
#include "tests/support/planted_dense.h"

namespace cudacards::testing {
namespace {

using testing_support::CaseScope;

constexpr MeasureOptions kQuick = {.repetitions = 3, .budget_seconds = 0.001};

std::vector<const Implementation*> supporting(const Operation& operation, const Problem& problem, DeviceKind device) {
  std::vector<const Implementation*> able;
  for (const Implementation& i : operation.implementations(device)) {
    if (i.supports(operation, problem)) able.push_back(&i);
  }
  return able;
}

Problem problem_of(const Operation& operation, const Shape& src, bool training = true) {
  const Shape shapes[] = {src};
  return {.src = {{src, DType::kF32}},
          .dst = {operation.infer_shape(shapes), DType::kF32},
          .training = training,
          .diff_src_wanted = {training},
          .diff_parameters_wanted = training};
}

TuningEntry measured(const std::vector<Planted>& list, const MeasureOptions& options = kQuick, std::int64_t batch = 6) {
  const PlantedDense operation(5, list);
  const Problem problem = problem_of(operation, {batch, 40});
  return measure_candidates(cpu_device(), operation, problem, supporting(operation, problem, DeviceKind::kCpu),
                            options);
}

class MeasureWrong : public ::testing::TestWithParam<Planted> {};

TEST_P(MeasureWrong, IsRefusedAndNotTimed) {
  const TuningEntry entry = measured({GetParam(), Planted::kSound});
  ASSERT_EQ(entry.candidates.size(), 3u);
  EXPECT_NE(entry.candidates[0].refusal, "");
  EXPECT_EQ(entry.candidates[0].seconds(), 0);
  for (const int sound : {1, 2}) {
    EXPECT_EQ(entry.candidates[static_cast<std::size_t>(sound)].refusal, "");
    EXPECT_GT(entry.candidates[static_cast<std::size_t>(sound)].forward_seconds, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Somewhere, MeasureWrong,
                         ::testing::Values(Planted::kWrongDst, Planted::kWrongDiffSrc, Planted::kWrongGradient,
                                           Planted::kWrongLastRow, Planted::kThrows),
                         [](const auto& info) {
                           std::string name = name_of(info.param);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Measure, SaysHowWrongAndWhere) {
  EXPECT_NE(measured({Planted::kWrongGradient}).candidates[0].refusal.find("diff_parameters, element 1: "),
            std::string::npos);
  EXPECT_EQ(measured({Planted::kThrows}).candidates[0].refusal, "failed: it is broken");
  EXPECT_NE(measured({Planted::kWrongDst}).candidates[0].refusal.find("disagrees with reference by "),
            std::string::npos);
}

TEST(Measure, ComparesTheWholeBatchWhereTheReferenceTakesASmallerOne) {
  // 2 * 40 * 5 flops a row, three times: the reference computes two rows, in which nothing is wrong.
  const MeasureOptions options = {.repetitions = 3, .budget_seconds = 0.001, .reference_flops = 2400};
  const TuningEntry entry = measured({Planted::kSound, Planted::kWrongLastRow}, options);
  EXPECT_EQ(entry.candidates[0].refusal, "");
  EXPECT_NE(entry.candidates[1].refusal, "");
  // The first that passed is the decider: when it is the wrong one, the reference has the last word.
  const TuningEntry reversed = measured({Planted::kWrongLastRow, Planted::kSound}, options);
  EXPECT_NE(reversed.candidates[0].refusal, "");
  EXPECT_EQ(reversed.candidates[1].refusal, "");
}

TEST(Measure, TellsTheSlowFromTheFast) {
  const TuningEntry entry = measured({Planted::kSlow, Planted::kSound});
  EXPECT_GT(entry.candidates[0].forward_seconds, 0.002);
  EXPECT_GT(entry.candidates[0].backward_seconds, 0.002);
  EXPECT_LT(entry.candidates[1].seconds(), entry.candidates[0].seconds());
}

TEST(Measure, LeavesBackwardOutOfInference) {
  const PlantedDense operation(5, {Planted::kSlow, Planted::kWrongGradient});
  const Problem problem = problem_of(operation, {6, 40}, false);
  const TuningEntry entry =
      measure_candidates(cpu_device(), operation, problem, supporting(operation, problem, DeviceKind::kCpu), kQuick);
  EXPECT_EQ(entry.candidates[1].refusal, "") << "its gradients are nobody's business";
  for (const CandidateResult& candidate : entry.candidates) EXPECT_EQ(candidate.backward_seconds, 0);
}

TEST(Measure, KnowsProblemsApart) {
  const Dense dense(5), relu(5, Activation::kRelu);
  const Problem problem = problem_of(dense, {6, 40});
  const std::string key = problem_key(dense, problem);
  EXPECT_EQ(key, problem_key(Dense(5), problem));
  EXPECT_NE(key, problem_key(relu, problem));
  EXPECT_NE(key, problem_key(dense, problem_of(dense, {7, 40})));
  EXPECT_NE(key, problem_key(dense, problem_of(dense, {6, 40}, false)));
  Problem other = problem;
  other.diff_src_wanted = {false};
  EXPECT_NE(key, problem_key(dense, other));
  other = problem;
  other.src[0].type = DType::kBf16;
  EXPECT_NE(key, problem_key(dense, other));
  other = problem;
  other.node = 7;
  EXPECT_EQ(key, problem_key(dense, other)) << "where it is in the graph";
}

/// Every implementation that the other tests approve of passes here too, in each of its types.
class MeasureEverything : public ::testing::TestWithParam<OpFamily> {};

TEST_P(MeasureEverything, RefusesNobodyWhoIsRight) {
  int compared = 0;
  for (Device* device : all_devices()) {
    auto cases = selected(cases_of(GetParam()));
    if (!device->is_cpu()) cases = some_small(std::move(cases));
    for (OpCase& c : cases) {
      c.device = device;
      const CaseScope scope(c.description);
      const Problem problem = c.problem();
      const auto candidates = supporting(*c.operation, problem, device->kind());
      if (candidates.size() < 2 || c.operation->flops(c.src) > 1e6) continue;
      const TuningEntry entry =
          measure_candidates(*device, *c.operation, problem, candidates, {.repetitions = 1, .budget_seconds = 0});
      for (const CandidateResult& candidate : entry.candidates)
        EXPECT_EQ(candidate.refusal, "") << candidate.implementation;
      compared += static_cast<int>(candidates.size()) - 1;
    }
  }
  RecordProperty("compared", compared);
}

/// Weights and bias are made of what is drawn, and rounded to what is multiplied: the bound knows.
TEST(MeasureFolded, RefusesNobodyWhoIsRight) {
  const Conv2dOptions kinds[] = {{.filters = 8, .kernel = 3, .stride = 2, .bias = true},
                                 {.filters = 24, .kernel = 1, .bias = false},
                                 {.filters = 16, .kernel = 3, .groups = 16, .bias = false}};
  int compared = 0;
  for (Device* device : all_devices()) {
    for (const Conv2dOptions& kind : kinds) {
      const FoldedConv2d operation(Conv2d(kind), BatchNorm(0.9f, 1e-3f, Activation::kRelu6));
      for (const Precision precision : {Precision::kF32, Precision::kTf32, Precision::kBf16}) {
        if (precision != on_device(precision, device->kind())) continue;
        for (const bool training : {false, true}) {
          Problem problem = problem_of(operation, {3, 6, 7, 16}, training);
          problem.src[0].type = problem.dst.type = storage_of(precision);
          problem.diff_parameters_wanted = false;  // frozen
          problem.tf32 = precision == Precision::kTf32;
          problem.threads = threads();
          problem.target = device->target();
          const CaseScope scope(operation.options_text() + " " + name_of(precision));
          const auto candidates = supporting(operation, problem, device->kind());
          if (candidates.size() < 2) continue;
          const TuningEntry entry =
              measure_candidates(*device, operation, problem, candidates, {.repetitions = 1, .budget_seconds = 0});
          for (const CandidateResult& candidate : entry.candidates)
            EXPECT_EQ(candidate.refusal, "") << candidate.implementation;
          compared += static_cast<int>(candidates.size()) - 1;
        }
      }
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(MeasureFolded, IsFiledApartFromTheConvolutionAlone) {
  const Conv2d conv({.filters = 8, .kernel = 3, .bias = true, .activation = Activation::kRelu});
  const FoldedConv2d folded(Conv2d({.filters = 8, .kernel = 3, .bias = true}),
                            BatchNorm(0.9f, 1e-3f, Activation::kRelu));
  const Problem problem = problem_of(folded, {3, 6, 7, 16}, false);
  EXPECT_NE(problem_key(folded, problem), problem_key(conv, problem));
  EXPECT_NE(problem_key(folded, problem), problem_key(FoldedConv2d(Conv2d({.filters = 8, .kernel = 3, .bias = false}),
                                                                   BatchNorm(0.9f, 1e-3f, Activation::kRelu)),
                                                      problem));
}

INSTANTIATE_TEST_SUITE_P(Ops, MeasureEverything, ::testing::ValuesIn(op_families()),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace cudacards::testing
