// The studies: which problems, rows and choices; and that the choices agree, on the emulator.

#include "bench/sweep/study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "bench/sweep/measure.h"
#include "kernels/conv2d/tuning.h"
#include "kernels/conv_pool/tuning.h"
#include "kernels/depthwise/tuning.h"
#include "kernels/matmul/tuning.h"
#include "tests/support/case_scope.h"
#include "tests/sweep/emulated_machine.h"

namespace cudacards::sweep {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::CaseScope;

constexpr Facts kH200 = {.arch = {9, 0}, .multiprocessors = 132};
constexpr Facts kTwoProcessors = {.arch = {9, 0}, .multiprocessors = 2};

TEST(ProblemsOfModels, AreThoseOfTheGraphsFusedAndUnfusedOnceEach) {
  const Problems problems = problems_of_models(std::array{1, 32});
  const auto conv_pool = [](int n, int h, int c, int k) { return conv_pool_problem(n, h, h, c, k).conv; };
  std::vector<Conv2dProblem> fused;
  for (const ConvPoolProblem& p : problems.conv_pool) fused.push_back(p.conv);
  EXPECT_THAT(fused, Contains(conv_pool(32, 112, 32, 64))) << "the CNN's second convolution";
  EXPECT_THAT(problems.conv2d, Contains(conv_pool(1, 224, 3, 32))) << "its first, unfused";
  EXPECT_THAT(problems.max_pool, Contains(Pool2dProblem{.n = 32, .h = 224, .w = 224, .c = 32}));
  const auto is_dense1 = [](const DenseProblem& p) { return p.rows == 32 && p.in == 100352 && p.units == 128; };
  EXPECT_EQ(std::count_if(problems.dense.begin(), problems.dense.end(), is_dense1), 1);
  std::set<std::string> names;
  for (const Conv2dProblem& p : problems.conv2d) EXPECT_TRUE(names.insert(describe(p)).second) << describe(p);
}

TEST(Studies, AskTheRowInForceFirstAndEveryRowOfEveryExperiment) {
  for (const Study& study : studies_of(problems_of_models(std::array{1, 32}), kH200)) {
    const CaseScope scope(study.table);
    EXPECT_EQ(std::set(study.rows.begin(), study.rows.end()).size(), study.rows.size());
    for (const Experiment& experiment : study.experiments) {
      ASSERT_EQ(experiment.choice_of_row.size(), study.rows.size()) << experiment.name;
      std::set<std::string> names;
      for (const Choice& choice : experiment.choices) EXPECT_TRUE(names.insert(choice.name).second) << choice.name;
      EXPECT_GT(names.size(), 1u) << experiment.name;
      EXPECT_EQ(experiment.choice_of_row[0], 0u) << "results are held against those of the row in force";
    }
  }
}

TEST(Studies, HaveExperimentsOfTheCnnAndTheMlp) {
  const auto studies = studies_of(problems_of_models(std::array{32, 256}), kH200);
  const auto names_of = [&](const std::string& table) {
    std::vector<std::string> names;
    for (const Study& study : studies) {
      if (study.table != table) continue;
      for (const Experiment& experiment : study.experiments) names.push_back(experiment.name);
    }
    return names;
  };
  EXPECT_THAT(names_of("kConv2dTileTuning"), Contains("forward 112x112x32->64 3x3/1 N=32 bf16"));
  EXPECT_THAT(names_of("kConv2dTileTuning"), Contains("backward data 56x56x64->128 3x3/1 N=32 bf16"));
  EXPECT_THAT(names_of("kConv2dTileTuning"), Not(Contains(HasSubstr("224x224x3->32"))))
      << "there is one tile for C = 3";
  EXPECT_THAT(names_of("kConv2dSliceTuning"), Contains("backward weights 56x56x64->128 3x3/1 N=32 bf16"));
  EXPECT_THAT(names_of("kConvPoolTuning"), Contains("backward weights 224x224x3->32 3x3/1 N=32 + pool bf16"));
  EXPECT_THAT(names_of("kMatmulTuning"), Contains("forward 32x100352->128 bf16"));
  EXPECT_THAT(names_of("kMatmulTuning"), Contains("wgrad 256x128->53 fp32"));
  EXPECT_THAT(names_of("kPoolTuning"), Contains("max pool backward 224x224x32 2x2/2 N=32 bf16"));
}

TEST(Studies, NameChoicesByWhatIsStarted) {
  const Study tiles =
      conv2d_tiles({{.n = 32, .h = 56, .w = 56, .c = 64, .k = 128, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}}, kH200);
  ASSERT_EQ(tiles.experiments.size(), 2u);
  std::vector<std::string> names;
  for (const Choice& choice : tiles.experiments[0].choices) names.push_back(choice.name);
  EXPECT_EQ(names, (std::vector<std::string>{"128x128", "128x64", "halo"}));
  EXPECT_EQ(std::count(tiles.experiments[0].choice_of_row.begin(), tiles.experiments[0].choice_of_row.end(), 2u), 0)
      << "no row stands for the halo tile";
  EXPECT_EQ(tiles.rows[0], ".wide_from_columns = 96, .wide_from_tiles = 264, .narrow_to_columns = 32");
}

/// Small problems of every study, on a machine so small that its rows differ.
std::vector<Study> small_studies() {
  Problems problems;
  problems.conv2d = {{.n = 2, .h = 16, .w = 17, .c = 16, .k = 40, .r = 3, .s = 3, .pad = {1, 1, 1, 1}},
                     {.n = 2, .h = 17, .w = 16, .c = 3, .k = 8, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2}};
  problems.depthwise = {
      {.n = 1, .h = 12, .w = 12, .c = 128, .k = 128, .r = 3, .s = 3, .pad = {1, 1, 1, 1}, .groups = 128}};
  problems.conv_pool = {conv_pool_problem(1, 48, 48, 16, 16), conv_pool_problem(1, 48, 48, 3, 8)};
  problems.dense = {{.rows = 20, .in = 1024, .units = 40, .activation = Activation::kRelu},
                    {.rows = 300, .in = 24, .units = 12}};
  problems.max_pool = {{.n = 2, .h = 64, .w = 64, .c = 16}};
  problems.elements = {70000};
  return studies_of(problems, kTwoProcessors);
}

TEST(Studies, ComeToChoicesThatAgreeWithEachOther) {
  EmulatedMachine machine([](int) { return 1.0; });
  for (const Study& study : small_studies()) {
    EXPECT_FALSE(study.experiments.empty()) << study.table;
    for (const Experiment& experiment : study.experiments) {
      const CaseScope scope(study.table + ", " + experiment.name);
      const Timings timings = measure(experiment, machine);
      for (std::size_t i = 0; i < timings.size(); ++i) EXPECT_EQ(timings[i].refusal, "") << experiment.choices[i].name;
    }
  }
}

}  // namespace
}  // namespace cudacards::sweep
