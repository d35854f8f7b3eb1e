// Whole runs on the emulator or a GPU: the losses are the CPU's, runs repeat and continue byte for byte, pictures may
// be sent batch by batch, and what goes wrong is named as on the CPU.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <fmt/format.h>

#include "host/train/checkpoint.h"
#include "host/train/evaluate.h"
#include "host/train/picture_feed.h"
#include "host/train/predict.h"
#include "host/train/trainer.h"
#include "host/train/training_memory.h"
#include "models/registry.h"
#include "tests/support/error_text.h"
#include "tests/support/small_run.h"
#include "tests/support/tensor_hash.h"
#include "tests/support/tested_device.h"

namespace cudacards {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_support::error_text;
using testing_support::hash_of_tensors;
using testing_support::SmallRun;

constexpr int kSide = 16;  // the emulator takes some 10 ns an access

class DeviceTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  }

  RunConfig config(const std::string& arch, const std::string& name, Precision precision = Precision::kF32) const {
    RunConfig config = small_.config(arch, name);
    config.precision = precision;
    config.device = testing::tested_device()->kind();
    config.image_size = kSide;
    config.batch = 4;
    config.epochs = 1;
    return config;
  }

  /// Stops after so many optimizer steps.
  TrainResult train_steps(const RunConfig& config, std::uint64_t steps, std::optional<std::size_t> memory = {}) {
    std::atomic<int> stop = 0;
    const auto stop_at = [&](std::uint64_t now) { stop = now >= steps ? 1 : 0; };
    return train({.config = config, .quiet = true, .stop_requested = &stop, .memory = memory, .on_step = stop_at});
  }

  static RunningMetrics running(const TrainResult& result) {
    return read_checkpoint(result.run + "/last.safetensors").state.running;
  }

  SmallRun small_;
};

TEST_F(DeviceTraining, LossesAreTheCpus) {
  for (const std::string arch : {"mlp", "cnn"}) {
    for (const Precision precision : {Precision::kF32, Precision::kTf32, Precision::kBf16}) {
      const std::string name = fmt::format("{}-{}", arch, name_of(precision));
      const std::uint64_t steps = arch == "cnn" ? 2 : 4;
      const RunningMetrics device = running(train_steps(config(arch, name, precision), steps));
      RunConfig on_cpu = config(arch, name + "-cpu", on_device(precision, DeviceKind::kCpu));
      on_cpu.device = DeviceKind::kCpu;
      const RunningMetrics cpu = running(train_steps(on_cpu, steps));
      EXPECT_EQ(device.rows, cpu.rows);
      // From the same parameters; errors of one step feed the next.
      const double tolerance = precision == Precision::kBf16 ? 2e-2 : precision == Precision::kTf32 ? 5e-3 : 2e-4;
      EXPECT_NEAR(device.loss_sum / cpu.loss_sum, 1, tolerance) << name;
    }
  }
}

TEST_F(DeviceTraining, RepeatsAndResumesByteForByte) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    const auto named = [&](const char* name) {
      return config("mlp", fmt::format("{}-{}", name, name_of(precision)), precision);
    };
    const std::string whole = train({.config = named("whole"), .quiet = true}).run;
    const TrainResult first = train_steps(named("parts"), 3);
    EXPECT_TRUE(first.stopped);
    const std::string parts = train({.resume = first.run, .quiet = true}).run;
    for (const char* file : {"/last.safetensors", "/best.safetensors"}) {
      EXPECT_EQ(hash_of_tensors(whole + file), hash_of_tensors(parts + file)) << file;
    }
    EXPECT_EQ(read_checkpoint(whole + "/last.safetensors").state, read_checkpoint(parts + "/last.safetensors").state);
  }
}

TEST_F(DeviceTraining, StreamsPicturesThatDoNotFitAndLearnsTheSame) {
  const RunConfig resident = config("mlp", "resident");
  const Graph graph = build_model("mlp", {.height = kSide, .width = kSide, .classes = 3});
  const std::size_t enough =
      training_memory(graph, resident, 2 * PictureFeed::streamed(resident.batch), testing::tested_device()->target())
          .total();
  const std::string all = train_steps(resident, 3).run;
  const std::string streamed = train_steps(config("mlp", "streamed"), 3, enough).run;
  EXPECT_EQ(hash_of_tensors(all + "/last.safetensors"), hash_of_tensors(streamed + "/last.safetensors"));
}

TEST_F(DeviceTraining, ValidatesTheSameWhereverThePicturesAre) {
  const auto state_of = [&](const char* name, std::optional<std::int64_t> pictures) {
    const RunConfig config = this->config("mlp", name);
    const Graph graph = build_model("mlp", {.height = kSide, .width = kSide, .classes = 3});
    std::optional<std::size_t> memory;
    if (pictures) memory = training_memory(graph, config, *pictures, testing::tested_device()->target()).total();
    return read_checkpoint(train({.config = config, .quiet = true, .memory = memory}).run + "/last.safetensors").state;
  };
  const std::int64_t batch = PictureFeed::streamed(4);
  const TrainState resident = state_of("valid-resident", {});
  EXPECT_EQ(state_of("valid-streamed", 30 + batch), resident) << "the 30 for training fit, not the 12 for validation";
  EXPECT_EQ(state_of("all-streamed", 2 * batch), resident);
}

TEST_F(DeviceTraining, WithoutMemoryNamesNeedHaveTheLargestTensorsAndTheBatch) {
  RunConfig large = config("cnn", "large");
  large.batch = 64;
  const Graph graph = build_model("cnn", {.height = kSide, .width = kSide, .classes = 3});
  // Less than without any picture: neither all of them nor a batch fits.
  const std::size_t have = training_memory(graph, large, 0, testing::tested_device()->target()).total() - 1;
  EXPECT_THAT(error_text([&] { train({.config = large, .quiet = true, .memory = have}); }),
              AllOf(HasSubstr("out of device memory before it begins: the run needs "), HasSubstr(" are free; "),
                    HasSubstr("the largest tensors: "), HasSubstr("conv2d: dst "),
                    HasSubstr("the largest --batch that fits is ")));
}

TEST_F(DeviceTraining, TellsWhereANaNCameFromAndWhen) {
  RunConfig wild = config("mlp", "wild");
  wild.rate = 1e30f;
  wild.warmup_epochs = 0;
  const std::string on_device = error_text([&] { train({.config = wild, .quiet = true}); });
  EXPECT_THAT(on_device, AllOf(HasSubstr("training diverged: "), HasSubstr(" is not finite at step ")));
  wild.device = DeviceKind::kCpu;
  wild.out = small_.run("wild-cpu");
  const std::string on_cpu = error_text([&] { train({.config = wild, .quiet = true}); });
  const auto from_run = [](const std::string& text) { return text.substr(0, text.find(" (epoch")); };
  EXPECT_EQ(from_run(on_device), from_run(on_cpu));
}

TEST_F(DeviceTraining, EvaluatesAndPredictsOnTheDevice) {
  RunConfig config = this->config("mlp", "used");
  config.device = DeviceKind::kCpu;
  const std::string run = train({.config = config, .quiet = true}).run;
  Model cpu = Model::load(run + "/best.safetensors", {.batch = 4});
  Model device =
      Model::load(run + "/best.safetensors", {.batch = 4, .device = {testing::tested_device()->kind(), 0, ""}});
  const EvalReport expected = evaluate(cpu, small_.data(), "valid"), actual = evaluate(device, small_.data(), "valid");
  EXPECT_EQ(actual.samples, expected.samples);
  EXPECT_NEAR(actual.loss, expected.loss, 1e-5);
  const std::vector<std::string> paths = {small_.data() + "/valid/red suit/000.jpg"};
  const Guess on_cpu = predict(cpu, paths, 1)[0].top.front(), on_device = predict(device, paths, 1)[0].top.front();
  EXPECT_EQ(on_device.label, on_cpu.label);
  EXPECT_NEAR(on_device.probability, on_cpu.probability, 1e-5);
}

}  // namespace
}  // namespace cudacards
