// Whole runs: they learn, repeat byte for byte, continue byte for byte, stop cleanly, and say where a NaN came from.

#include "host/train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <random>

#include <fmt/format.h>

#include "host/train/checkpoint.h"
#include "host/train/evaluate.h"
#include "host/train/predict.h"
#include "host/train/presets.h"
#include "tests/support/case_scope.h"
#include "tests/support/error_text.h"
#include "tests/support/small_run.h"
#include "tests/support/tensor_hash.h"

namespace cudacards {
namespace {

using testing_support::CaseScope;
using testing_support::error_text;
using testing_support::hash_of_tensors;
using testing_support::numbered_cases;
using testing_support::SmallRun;

class TrainerTest : public ::testing::Test {
 protected:
  TrainResult train_quietly(const RunConfig& config) { return train({.config = config, .quiet = true}); }

  /// Starts the run, stops it after `step` optimizer steps, and resumes it to its end.
  TrainResult train_in_two_parts(const RunConfig& config, std::uint64_t step) {
    std::atomic<int> stop = 0;
    const auto stop_at = [&](std::uint64_t now) { stop = now >= step ? 1 : 0; };
    const TrainResult first = train({.config = config, .quiet = true, .stop_requested = &stop, .on_step = stop_at});
    EXPECT_TRUE(first.stopped);
    return train({.resume = first.run, .quiet = true});
  }

  static void expect_same_run(const std::string& a, const std::string& b) {
    for (const char* name : {"/last.safetensors", "/best.safetensors"}) {
      EXPECT_EQ(hash_of_tensors(a + name), hash_of_tensors(b + name)) << name;
      EXPECT_EQ(read_checkpoint(a + name).state, read_checkpoint(b + name).state) << name;
    }
  }

  SmallRun small_;
};

TEST_F(TrainerTest, LearnsClassesThatDifferInColour) {
  RunConfig config = small_.config("cnn", "learns");
  config.epochs = 8;
  const TrainResult result = train_quietly(config);
  ASSERT_EQ(result.epochs.size(), 8u);
  EXPECT_LT(result.epochs.back().loss, result.epochs.front().loss);
  EXPECT_EQ(result.epochs.back().step, 8u * 4);
  EXPECT_EQ(result.epochs.back().val_accuracy, 1.0);
  for (const char* file : {"run.toml", "metrics.jsonl", "results.csv", "best.safetensors", "last.safetensors"}) {
    EXPECT_TRUE(std::filesystem::exists(result.run + "/" + file)) << file;
  }
}

TEST_F(TrainerTest, TrainsInBf16) {
  RunConfig config = small_.config("cnn", "bf16");
  config.precision = Precision::kBf16;
  config.epochs = 8;
  EXPECT_EQ(train_quietly(config).epochs.back().val_accuracy, 1.0);
}

TEST_F(TrainerTest, RepeatsByteForByteAndOnlyWithTheSameSeed) {
  const std::string a = train_quietly(small_.config("cnn", "a")).run;
  const std::string b = train_quietly(small_.config("cnn", "b")).run;
  expect_same_run(a, b);
  RunConfig other = small_.config("cnn", "c");
  other.seed = 4321;
  EXPECT_NE(hash_of_tensors(train_quietly(other).run + "/best.safetensors"), hash_of_tensors(a + "/best.safetensors"));
}

TEST_F(TrainerTest, ResumesByteForByteAtEveryStep) {
  const std::string whole = train_quietly(small_.config("cnn", "whole")).run;
  for (std::uint64_t step = 1; step < 8; ++step) {
    const TrainResult parts = train_in_two_parts(small_.config("cnn", fmt::format("parts-{}", step)), step);
    expect_same_run(whole, parts.run);
    EXPECT_EQ(parts.epochs.size(), 2u);
  }
}

TEST_F(TrainerTest, RefusesToContinueOnOtherData) {
  RunConfig config = small_.config("mlp", "moved");
  config.epochs = 1;
  (void)train_quietly(config);
  for (int i = 0; i < 8; ++i) std::filesystem::remove(fmt::format("{}/train/red suit/{:03}.jpg", small_.data(), i));
  EXPECT_NE(error_text([&] {
              train({.resume = config.out, .quiet = true});
            }).find("trained on 30 pictures, the data now have 22"),
            std::string::npos);
}

TEST_F(TrainerTest, ReportsTheSameEpochWhenItWasInterrupted) {
  const TrainResult whole = train_quietly(small_.config("mlp", "whole"));
  const TrainResult parts = train_in_two_parts(small_.config("mlp", "parts"), 6);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(whole.epochs[i].loss, parts.epochs[i].loss);
    EXPECT_EQ(whole.epochs[i].val_loss, parts.epochs[i].val_loss);
  }
}

TEST_F(TrainerTest, TellsWhereANaNCameFromAndKeepsTheCheckpoint) {
  RunConfig config = small_.config("cnn", "diverges");
  apply_preset(config, "notebook");
  config.epochs = 3;
  config.rate = 1e30f;
  const std::string text = error_text([&] { train_quietly(config); });
  EXPECT_TRUE(text.starts_with("training diverged: ")) << text;
  EXPECT_NE(text.find("is not finite at step "), std::string::npos) << text;
  EXPECT_NO_THROW((void)read_checkpoint(config.out + "/last.safetensors"));
}

TEST_F(TrainerTest, RefusesAFolderThatHasARun) {
  const RunConfig config = small_.config("mlp", "taken");
  (void)train_quietly(config);
  EXPECT_NE(error_text([&] { train_quietly(config); }).find("--resume " + config.out), std::string::npos);
}

TEST_F(TrainerTest, LeavesNoFolderBehindWhenNoRunComesToBe) {
  RunConfig config = small_.config("mlp", "failed");
  config.data = small_.run("nowhere");
  EXPECT_NE(error_text([&] { train_quietly(config); }), "(no error)");
  EXPECT_FALSE(std::filesystem::exists(config.out));
}

TEST_F(TrainerTest, StopsBeforeTheFirstStepAndLeavesNoRun) {
  const RunConfig config = small_.config("mlp", "stopped");
  const std::atomic<int> stop = SIGTERM;
  try {
    train({.config = config, .quiet = true, .stop_requested = &stop});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 128 + SIGTERM);
    EXPECT_TRUE(std::string(error.what()).starts_with("stopped while decoding pictures: ")) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(config.out));
}

TEST_F(TrainerTest, WarnsOfDuplicatesButTrains) {
  std::filesystem::copy_file(small_.data() + "/train/red suit/000.jpg", small_.data() + "/valid/blue suit/copy.jpg");
  RunConfig config = small_.config("mlp", "warned");
  config.epochs = 1;
  ::testing::internal::CaptureStderr();
  const TrainResult result = train({.config = config});
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(result.epochs.size(), 1u);
  EXPECT_NE(log.find("the same picture under different classes and in different splits: "), std::string::npos) << log;
  EXPECT_NE(log.find("/valid/blue suit/copy.jpg"), std::string::npos) << log;
}

TEST_F(TrainerTest, RefusesToTrainWithoutValidationPictures) {
  RunConfig config = small_.config("mlp", "blind");
  std::filesystem::remove_all(small_.data() + "/valid");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(small_.data() + "/train")) {
    if (entry.is_regular_file() && entry.path().filename() != "000.jpg") std::filesystem::remove(entry.path());
  }
  EXPECT_NE(error_text([&] { train_quietly(config); }).find("no picture is left for valid"), std::string::npos);
}

TEST_F(TrainerTest, SavesTheAveragedWeightsThatItValidated) {
  const RunConfig config = small_.config("cnn", "averaged");
  const TrainResult result = train_quietly(config);
  const TrainState state = read_checkpoint(config.out + "/best.safetensors").state;
  Model model = Model::load(config.out + "/best.safetensors", {.batch = config.batch});
  const EvalReport report = evaluate(model, small_.data(), "valid");
  EXPECT_EQ(report.loss, state.best_val_loss);
  EXPECT_EQ(report.accuracy, state.best_val_accuracy);
  EXPECT_EQ(report.loss, result.epochs[static_cast<std::size_t>(state.best_epoch - 1)].val_loss);
}

TEST_F(TrainerTest, StopsEarlyWhenPatienceEnds) {
  RunConfig config = small_.config("cnn", "patient");
  config.epochs = 50;
  config.patience = 2;
  const TrainResult result = train_quietly(config);
  const auto n = result.epochs.size();
  ASSERT_LT(n, 50u);
  const auto better = [](const EpochMetrics& a, const EpochMetrics& b) {
    return a.val_accuracy < b.val_accuracy || (a.val_accuracy == b.val_accuracy && a.val_loss > b.val_loss);
  };
  const auto best = std::ranges::max_element(result.epochs, better);
  EXPECT_EQ(n, static_cast<std::size_t>(best->epoch) + 2);
}

TEST_F(TrainerTest, EvaluatesAndPredictsWhatItTrained) {
  RunConfig config = small_.config("cnn", "used");
  config.epochs = 8;
  const TrainResult result = train_quietly(config);
  Model model = Model::load(result.run + "/best.safetensors", {.batch = 5});
  EXPECT_EQ(model.classes(), (std::vector<std::string>{"blue suit", "green suit", "red suit"}));
  const EvalReport report = evaluate(model, small_.data(), "valid");
  EXPECT_EQ(report.samples, 12);
  EXPECT_EQ(report.accuracy, 1.0);
  EXPECT_EQ(report.top5_accuracy, 1.0);
  for (const auto& c : report.per_class) EXPECT_EQ(c.samples, 4) << c.name;

  const auto predictions = predict(model,
                                   {small_.data() + "/valid/red suit/000.jpg", small_.data() + "/no such.jpg",
                                    small_.data() + "/valid/blue suit/003.jpg"},
                                   2);
  EXPECT_EQ(predictions[0].top.front().label, "red suit");
  EXPECT_EQ(predictions[0].top.size(), 2u);
  EXPECT_FALSE(predictions[1].error.empty());
  EXPECT_TRUE(predictions[1].top.empty());
  EXPECT_EQ(predictions[2].top.front().label, "blue suit");
}

using TrainerLong = TrainerTest;

// QUALITY target 3.
TEST_F(TrainerLong, ResumesByteForByteAt50RandomSteps) {
  RunConfig config = small_.config("cnn", "whole");
  config.epochs = 6;
  config.checkpoint_steps = 5;
  const std::string whole = train_quietly(config).run;
  for (const int trial : numbered_cases(50)) {
    const CaseScope scope(trial);
    std::mt19937 random(static_cast<unsigned>(trial));
    config.out = small_.run(fmt::format("parts-{}", trial));
    expect_same_run(whole, train_in_two_parts(config, 1 + random() % 23).run);
  }
}

}  // namespace
}  // namespace cudacards
