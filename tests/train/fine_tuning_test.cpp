// Runs that start from weights: what is frozen keeps its bytes, running statistics and the average follow what learns,
// and runs continue byte for byte, on the CPU and on a device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "host/train/checkpoint.h"
#include "host/train/evaluate.h"
#include "host/train/initial_weights.h"
#include "host/train/presets.h"
#include "host/train/trainer.h"
#include "host/train/weights_file.h"
#include "tests/support/small_run.h"
#include "tests/support/tensor_hash.h"
#include "tests/support/tested_device.h"

namespace cudacards {
namespace {

using testing_support::hash_of_tensors;
using testing_support::SmallRun;

using Tensors = std::map<std::string, std::vector<float>>;

Tensors tensors_of(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Tensors tensors;
  for (const TensorView& tensor : file.tensors()) tensors[tensor.name] = file.read_floats(tensor.name, tensor.shape);
  return tensors;
}

bool is_statistic(const std::string& name) { return name.ends_with("/mean") || name.ends_with("/variance"); }
bool is_of_norm(const std::string& name) { return name.find("bn/") != std::string::npos; }

class FineTuningRun : public ::testing::Test {
 protected:
  static constexpr float kWidth = 0.35f;

  /// Random features whose batch norms' statistics and gammas are of no round value. Variances are low: else pictures would
  /// fade from block to block, and norms by the batch would blow up what rounding leaves of them.
  void SetUp() override {
    const Graph graph = build_model("mobilenetv2", {.classes = 3, .width_multiplier = kWidth});
    Parameters parameters(graph);
    parameters.initialise(7);
    std::vector<TensorView> tensors;
    for (const Parameter& p : parameters.list()) {
      if (p.name.starts_with("head")) continue;
      if (is_of_norm(p.name)) {
        const float middle = p.name.ends_with("/variance") ? -0.8f : 0.0f;
        for (std::size_t i = 0; float& value : parameters.values(p))
          value += middle + 0.01f * static_cast<float>(++i % 5);
      }
      tensors.push_back(float_tensor(p.name, p.spec.shape.sizes(), parameters.values(p)));
    }
    write_safetensors(weights_, tensors, weights_metadata({.arch = "mobilenetv2", .width = kWidth}));
    before_ = tensors_of(weights_);
  }

  RunConfig config(const std::string& name, const std::string& preset = "finetune") const {
    RunConfig config = small_.config("mobilenetv2", name);
    apply_preset(config, preset);
    config.weights = weights_;
    config.image_size = 32;
    config.epochs = 1;
    config.batch = 8;
    config.warmup_epochs = 0.5f;
    config.precision = Precision::kF32;
    return config;
  }

  /// The names of `after`'s tensors that differ from the weights that the run began with.
  std::set<std::string> changed(const Tensors& after) const {
    std::set<std::string> names;
    for (const auto& [name, values] : before_) {
      if (after.at(name) != values) names.insert(name);
    }
    return names;
  }

  static TrainResult train_steps(const RunConfig& config, std::uint64_t steps) {
    std::atomic<int> stop = 0;
    const auto stop_at = [&](std::uint64_t now) { stop = now >= steps ? 1 : 0; };
    return train({.config = config, .quiet = true, .stop_requested = &stop, .on_step = stop_at});
  }

  static void expect_same_run(const std::string& a, const std::string& b) {
    for (const char* file : {"/last.safetensors", "/best.safetensors"})
      EXPECT_EQ(hash_of_tensors(a + file), hash_of_tensors(b + file)) << file;
  }

  SmallRun small_;
  const std::string weights_ = small_.run("weights.safetensors");
  int runs_ = 0;
  Tensors before_;
};

TEST_F(FineTuningRun, TakesItsWidthFromTheWeights) {
  RunConfig c = config("width");
  EXPECT_EQ(c.width, 0);
  EXPECT_EQ(effective_width(c), kWidth);
  const std::string run = train_steps(c, 1).run;
  EXPECT_EQ(read_checkpoint(run + "/last.safetensors").config.width, kWidth);
  c.weights.clear();
  EXPECT_EQ(effective_width(c), 1.0f);
  c.width = 0.5f;
  EXPECT_EQ(effective_width(c), 0.5f);
}

TEST_F(FineTuningRun, LearnsEverythingWithoutFreezing) {
  const std::string run = train({.config = config("all"), .quiet = true}).run;
  EXPECT_EQ(changed(tensors_of(run + "/last.safetensors")).size(), before_.size());
}

TEST_F(FineTuningRun, AFrozenBackboneKeepsItsBytes) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    RunConfig c = config(fmt::format("backbone-{}", name_of(precision)));
    c.freeze = {Freeze::Part::kBackbone};
    c.precision = precision;
    const std::string run = train({.config = c, .quiet = true}).run;
    for (const char* file : {"/last.safetensors", "/best.safetensors"})
      EXPECT_THAT(changed(tensors_of(run + file)), ::testing::IsEmpty()) << file;
    const Tensors after = tensors_of(run + "/last.safetensors");
    EXPECT_NE(after.at("head/bias"), std::vector<float>(3, 0.0f));
  }
}

TEST_F(FineTuningRun, FrozenBlocksKeepTheirBytesAndTheOthersLearn) {
  RunConfig c = config("blocks");
  c.freeze = {Freeze::Part::kBlocks, 3};
  const std::set<std::string> moved =
      changed(tensors_of(train({.config = c, .quiet = true}).run + "/last.safetensors"));
  for (const auto& [name, values] : before_) {
    const bool is_frozen = name.starts_with("stem/") || (name.starts_with("block_") && name < "block_03/");
    EXPECT_EQ(moved.contains(name), !is_frozen) << name;
  }
}

TEST_F(FineTuningRun, FrozenBatchNormsKeepAllFourOfTheirNumbers) {
  RunConfig c = config("norms");
  c.batch_norms = BatchNorms::kFrozen;
  const std::set<std::string> moved =
      changed(tensors_of(train({.config = c, .quiet = true}).run + "/last.safetensors"));
  for (const auto& [name, values] : before_) EXPECT_EQ(moved.contains(name), !is_of_norm(name)) << name;
}

// A batch norm with batch statistics gives the same loss whatever its running ones are; one with running statistics
// not.
TEST_F(FineTuningRun, TrainsByTheStatisticsThatItIsAskedFor) {
  const auto first_loss = [&](BatchNorms norms, const std::string& weights) {
    RunConfig c = config(fmt::format("run-{}", runs_++));
    c.batch_norms = norms;
    c.weights = weights;
    return read_checkpoint(train_steps(c, 1).run + "/last.safetensors").state.running.loss_sum;
  };
  Tensors other = before_;
  std::vector<TensorView> tensors;
  const SafetensorsFile file = SafetensorsFile::open(weights_);
  for (const TensorView& tensor : file.tensors()) {
    std::vector<float>& values = other[tensor.name];
    if (tensor.name.ends_with("/variance")) {
      for (float& value : values) value *= 1.5f;
    }
    tensors.push_back(float_tensor(tensor.name, tensor.shape, values));
  }
  const std::string others = small_.run("others.safetensors");
  write_safetensors(others, tensors, weights_metadata({.arch = "mobilenetv2", .width = kWidth}));
  EXPECT_EQ(first_loss(BatchNorms::kBatch, weights_), first_loss(BatchNorms::kBatch, others));
  EXPECT_NE(first_loss(BatchNorms::kFrozen, weights_), first_loss(BatchNorms::kFrozen, others));
}

TEST_F(FineTuningRun, ALayerDecayMakesTheStemStayBehind) {
  const auto distance_of_stem = [&](float decay) {
    RunConfig c = config(fmt::format("decay-{}", decay));
    c.layer_decay = decay;
    c.optimizer.weight_decay = 0;
    const std::vector<float> after = tensors_of(train_steps(c, 1).run + "/last.safetensors").at("stem/conv/weights");
    const std::vector<float>& before = before_.at("stem/conv/weights");
    double sum = 0;
    for (std::size_t i = 0; i < after.size(); ++i) sum += std::abs(static_cast<double>(after[i] - before[i]));
    return sum;
  };
  // Adam's first step is the rate for every weight, whatever its gradient.
  EXPECT_NEAR(distance_of_stem(0.9f) / distance_of_stem(1), std::pow(0.9, 19), 0.01);
}

// The decay grows with the steps: a constant 0.9999 would still be at the beginning after so few of them.
TEST_F(FineTuningRun, TheAverageLeavesTheBeginningBehind) {
  RunConfig c = config("short");
  c.epochs = 2;
  c.ema_decay = 0.9999f;
  const Tensors last = tensors_of(train({.config = c, .quiet = true}).run + "/last.safetensors");
  double to_beginning = 0, to_end = 0;
  for (const auto& [name, beginning] : before_) {
    if (is_statistic(name)) continue;
    const std::vector<float>&average = last.at("average/" + name), &end = last.at(name);
    for (std::size_t i = 0; i < average.size(); ++i) {
      to_beginning += std::abs(average[i] - beginning[i]);
      to_end += std::abs(average[i] - end[i]);
    }
  }
  EXPECT_LT(to_end, to_beginning);
}

TEST_F(FineTuningRun, TheAverageHasStatisticsOfItsOwnAndIsWhatIsValidated) {
  RunConfig c = config("average");
  c.epochs = 2;
  c.ema_decay = 0.5f;
  c.bn_momentum = 0.5f;
  const TrainResult result = train({.config = c, .quiet = true});
  const Tensors last = tensors_of(result.run + "/last.safetensors");
  int statistics = 0;
  for (const auto& [name, values] : before_) {
    if (!is_statistic(name)) continue;
    ++statistics;
    EXPECT_NE(last.at("average/" + name), last.at(name)) << name;
    EXPECT_NE(last.at("average/" + name), values) << name;
  }
  EXPECT_EQ(statistics, 104);
  const Checkpoint best = read_checkpoint(result.run + "/best.safetensors");
  Model model = Model::load(result.run + "/best.safetensors", {.batch = 8});
  EXPECT_NEAR(evaluate(model, small_.data(), "valid").loss, best.state.best_val_loss, 1e-4);
  if (best.state.best_epoch == 2) {
    const Tensors weights = tensors_of(result.run + "/best.safetensors");
    for (const auto& [name, values] : before_) EXPECT_EQ(weights.at(name), last.at("average/" + name)) << name;
  }
}

TEST_F(FineTuningRun, ContinuesByteForByte) {
  RunConfig whole = config("whole"), parts = config("parts");
  for (RunConfig* c : {&whole, &parts}) {
    c->epochs = 2;
    c->freeze = {Freeze::Part::kBlocks, 2};
  }
  const std::string a = train({.config = whole, .quiet = true}).run;
  const TrainResult stopped = train_steps(parts, 5);
  EXPECT_TRUE(stopped.stopped);
  expect_same_run(a, train({.resume = stopped.run, .quiet = true}).run);
}

class FineTuningOnADevice : public FineTuningRun {
 protected:
  void SetUp() override {
    if (testing::tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
    FineTuningRun::SetUp();
  }
  RunConfig device_config(const std::string& name, Precision precision) const {
    RunConfig c = config(name);
    c.device = testing::tested_device()->kind();
    c.precision = precision;
    c.batch = 8;                             // of two pictures the last layers, 1 x 1, would normalise rounding
    c.freeze = {Freeze::Part::kBlocks, 14};  // the emulator is slow
    return c;
  }
};

TEST_F(FineTuningOnADevice, IsTheCpus) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    for (const BatchNorms norms : {BatchNorms::kBatch, BatchNorms::kFrozen}) {
      RunConfig on_device = device_config(fmt::format("device-{}", runs_++), precision);
      on_device.batch_norms = norms;
      RunConfig on_cpu = on_device;
      on_cpu.device = DeviceKind::kCpu;
      on_cpu.out = small_.run(fmt::format("cpu-{}", runs_++));
      const std::string device = train_steps(on_device, 2).run + "/last.safetensors";
      const std::string cpu = train_steps(on_cpu, 2).run + "/last.safetensors";
      const Tensors after = tensors_of(device), expected = tensors_of(cpu);
      EXPECT_EQ(changed(after), changed(expected)) << name_of(precision);
      // Two steps: the second has gone through the gradients. Norms by eight values raise what was rounded.
      EXPECT_NEAR(read_checkpoint(device).state.running.loss_sum / read_checkpoint(cpu).state.running.loss_sum, 1,
                  precision == Precision::kBf16 ? 5e-2 : 5e-4);
      const std::vector<float>& average = after.at("average/top/bn/mean");
      EXPECT_EQ(average != before_.at("top/bn/mean"), norms == BatchNorms::kBatch);
      for (std::size_t i = 0; i < average.size(); ++i)
        ASSERT_NEAR(average[i], expected.at("average/top/bn/mean")[i], 1e-3) << i;
    }
  }
}

TEST_F(FineTuningOnADevice, ContinuesByteForByteAfterAValidation) {
  RunConfig whole = device_config("whole", Precision::kF32), parts = device_config("parts", Precision::kF32);
  for (RunConfig* c : {&whole, &parts}) {
    c->epochs = 2;
    c->batch = 16;
  }
  const std::string a = train({.config = whole, .quiet = true}).run;
  const TrainResult stopped = train_steps(parts, 3);
  EXPECT_TRUE(stopped.stopped);
  expect_same_run(a, train({.resume = stopped.run, .quiet = true}).run);
}

}  // namespace
}  // namespace cudacards
