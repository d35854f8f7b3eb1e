// Gradients are ignored, set or added to as asked for, and the same call gives the same bytes.

#include "host/runtime/threads.h"
#include "tests/ops/implementations.h"
#include "tests/support/double_reference.h"

namespace cudacards::testing {
namespace {

class Gradients : public EveryImplementation {
 protected:
  // Every fourth of many cases: the modes don't depend on the sizes.
  std::vector<OpCase> some_cases() const {
    std::vector<OpCase> some;
    if (!GetParam().device->is_cpu()) return cases_of(GetParam().family);  // for_each_case takes some
    const auto all = supported_cases(cases_of(GetParam().family));
    for (std::size_t i = 0; i<all.size(); i += all.size()> 30 ? 4 : 1) some.push_back(all[i]);
    return some;
  }
};

TEST_P(Gradients, AreAddedToWhatIsThereWhenAccumulated) {
  for_each_case(some_cases(), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = integer_inputs(c);
    const OpOutputs set = run(c, implementation, inputs);
    const float before = 3;
    const OpOutputs added = run(c, implementation, inputs,
                                {.diff_src_mode = GradMode::kAccumulate,
                                 .diff_parameters_mode = GradMode::kAccumulate,
                                 .gradient_before = before});
    const auto expect_added = [&](const std::vector<float>& from, const std::vector<float>& to, DType type) {
      Bounded expected;
      for (const float x : from) {
        expected.value.push_back(static_cast<double>(x) + before);
        expected.magnitude.push_back(std::abs(x) + before);
      }
      // `from` was rounded to its type before the sum, `to` perhaps only after it.
      if (type == DType::kBf16) expected.terms = 1 << 28;
      EXPECT_TRUE(within_bound(to, expected, type, 4));
    };
    for (std::size_t i = 0; i < set.diff_src.size(); ++i) expect_added(set.diff_src[i], added.diff_src[i], c.type);
    for (std::size_t i = 0; i < set.diff_parameters.size(); ++i) {
      expect_added(set.diff_parameters[i], added.diff_parameters[i], DType::kF32);
    }
    EXPECT_EQ(set.dst, added.dst);
  });
}

TEST_P(Gradients, OfTheSourceAreLeftOutWhenIgnored) {
  for_each_case(some_cases(), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = integer_inputs(c);
    const OpOutputs all = run(c, implementation, inputs);
    const OpOutputs ignored = run(c, implementation, inputs, {.diff_src_mode = GradMode::kIgnore});
    EXPECT_EQ(all.diff_parameters, ignored.diff_parameters);
    EXPECT_EQ(all.dst, ignored.dst);
  });
}

TEST_P(Gradients, OfTheSourceAreTheSameWhenTheLayerIsFrozen) {
  if (GetParam().family == OpFamily::kBatchNorm)
    GTEST_SKIP() << "a frozen batch norm uses other statistics: see BatchNorm";
  for_each_case(some_cases(), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = integer_inputs(c);
    const OpOutputs thawed = run(c, implementation, inputs);
    const OpOutputs frozen = run(c, implementation, inputs, {.frozen = true});
    EXPECT_EQ(thawed.diff_src, frozen.diff_src);
    for (const auto& gradient : frozen.diff_parameters) EXPECT_TRUE(gradient.empty());
    EXPECT_EQ(frozen.parameters, inputs.parameters);
  });
}

TEST_P(Gradients, AndResultsHaveTheSameBytesTwice) {
  for_each_case(cases_of(GetParam().family), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = random_inputs(c);
    EXPECT_TRUE(run(c, implementation, inputs) == run(c, implementation, inputs));
  });
}

TEST_P(Gradients, ResultIsTheSameWhenMadeForInference) {
  if (GetParam().family == OpFamily::kBatchNorm) GTEST_SKIP() << "inference uses other statistics: see BatchNorm";
  if (GetParam().family == OpFamily::kDropout) GTEST_SKIP() << "inference drops nothing: see Dropout";
  for_each_case(some_cases(), [](const OpCase& c, const Implementation& implementation) {
    const OpInputs inputs = integer_inputs(c);
    const OpOutputs inferred = run(c, implementation, inputs, {.step = {.training = false}, .training = false});
    EXPECT_EQ(run(c, implementation, inputs).dst, inferred.dst);
  });
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradients, ::testing::ValuesIn(all_candidates()), candidate_name);

}  // namespace
}  // namespace cudacards::testing
