#include "bench/support/whole_step.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "bench/support/timing.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tested_device.h"

namespace cudacards::bench {
namespace {

WholeStepOptions tiny(Mode mode, Replay replay = Replay::kGraph) {
  return {.arch = "mlp", .batch = 2, .image_size = 16, .classes = 5, .mode = mode, .replay = replay};
}

TEST(WholeStep, ALossBeginsNearThatOfGuessingAndEveryStepIsTimed) {
  for (Device* device : testing::all_devices()) {
    WholeStep step(*device, tiny(Mode::kTrain));
    EXPECT_NEAR(step.run_and_read(), std::log(5), 2.5) << name_of(device->kind());
    const std::vector<double> seconds = step.time(4);
    EXPECT_EQ(seconds.size(), 4u);
    for (const double time : seconds) EXPECT_GT(time, 0);
  }
}

TEST(WholeStep, TrainingChangesTheParametersAndInferenceDoesNot) {
  for (Device* device : testing::all_devices()) {
    for (const Mode mode : {Mode::kTrain, Mode::kInfer}) {
      WholeStep step(*device, tiny(mode));
      const double first = step.run_and_read();
      step.time(WholeStep::kBatches - 1);
      const double again = step.run_and_read();  // the same batch
      EXPECT_EQ(first == again, mode == Mode::kInfer) << name_of(device->kind());
    }
  }
}

TEST(WholeStep, BatchesTakeTurns) {
  for (Device* device : testing::all_devices()) {
    WholeStep step(*device, tiny(Mode::kInfer));
    const double first = step.run_and_read(), second = step.run_and_read(), third = step.run_and_read();
    EXPECT_NE(first, second);
    EXPECT_NE(second, third);
    EXPECT_EQ(step.run_and_read(), first);
  }
}

TEST(WholeStep, AReplayedGraphComputesWhatTheCallsCompute) {
  if (testing::tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  for (const Mode mode : {Mode::kTrain, Mode::kInfer}) {
    WholeStep graph(*testing::tested_device(), tiny(mode, Replay::kGraph));
    WholeStep calls(*testing::tested_device(), tiny(mode, Replay::kCallByCall));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(graph.run_and_read(), calls.run_and_read()) << i;
  }
}

TEST(WholeStep, TrainingCountsThreeTimesTheProductsOfInference) {
  const WholeStep train(cpu_device(), tiny(Mode::kTrain)), infer(cpu_device(), tiny(Mode::kInfer));
  const double products = 2.0 * 2 * (16 * 16 * 3 * 256 + 256 * 128 + 128 * 5);
  EXPECT_EQ(infer.flops(), products);
  EXPECT_EQ(train.flops(), 3 * products);
}

TEST(WholeStep, TakesWhatIsMeasuredWhereItIsAskedTo) {
  const testing_support::TemporaryFolder folder;
  setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
  WholeStepOptions options = tiny(Mode::kInfer);
  const auto measured = [&] {
    const WholeStep step(cpu_device(), options);
    return std::ranges::count(step.plan().nodes(), ChoiceReason::kMeasured,
                              [](const PlanNode& node) { return node.choice.reason; });
  };
  EXPECT_EQ(measured(), 0);
  options.tune = true;
  EXPECT_GT(measured(), 0);
  unsetenv("XDG_CACHE_HOME");
}

TEST(RepeatedWork, CallsAsOftenAsItIsToldInEveryRound) {
  std::vector<int> calls;
  RepeatedWork work(
      cpu_device(), [&](int i) { calls.push_back(i); }, 3);
  EXPECT_THAT(calls, ::testing::ElementsAre(0, 1, 2));  // the round that is not timed
  EXPECT_GE(work.round(), 0);
  EXPECT_THAT(calls, ::testing::ElementsAre(0, 1, 2, 0, 1, 2));
}

TEST(RepeatedWork, MedianIsTheMiddleOrTheMeanOfTheTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

}  // namespace
}  // namespace cudacards::bench
