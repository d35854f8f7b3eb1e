// Which pictures an evaluation takes, and that it counts every one of them once.

#include "host/train/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "host/train/checkpoint.h"
#include "host/train/trainer.h"
#include "tests/support/error_text.h"
#include "tests/support/log_watch.h"
#include "tests/support/small_run.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::error_text;
using testing_support::ExpectWarning;
using testing_support::logged_notes;

/// A model that has learned from a bare folder of 30 pictures, of which `train` held 5 out.
class EvaluateBareFolder : public testing::Test {
 protected:
  EvaluateBareFolder() {
    RunConfig config = small_.config("mlp", "run");
    config.data = bare_;
    config.epochs = 1;
    trained_ = train({.config = config, .quiet = true}).epochs.back();
    model_ = std::make_unique<Model>(Model::load(config.out + "/best.safetensors", {.batch = config.batch}));
  }

  EvalReport evaluated(const std::string& split) { return evaluate(*model_, bare_, split); }

  testing_support::SmallRun small_;
  const std::string bare_ = small_.data() + "/train";
  EpochMetrics trained_;
  std::unique_ptr<Model> model_;
};

TEST_F(EvaluateBareFolder, ValidIsWhatTrainHeldOut) {
  const EvalReport valid = evaluated("valid");
  EXPECT_EQ(valid.samples, 5);
  EXPECT_EQ(valid.loss, trained_.val_loss);
  EXPECT_EQ(valid.accuracy, trained_.val_accuracy);
  EXPECT_THAT(logged_notes(), ElementsAre("valid: 5 of 30 pictures; valid is 10 % of train, by a hash of the name"));
}

TEST_F(EvaluateBareFolder, TrainIsTheRest) {
  EXPECT_EQ(evaluated("train").samples, 25);
  EXPECT_THAT(logged_notes(), ElementsAre("train: 25 of 30 pictures; valid is 10 % of train, by a hash of the name"));
}

TEST_F(EvaluateBareFolder, IsTakenWholeWhereNoSplitIsNamed) {
  EXPECT_EQ(evaluated("").samples, 30);
  EXPECT_THAT(logged_notes(), ElementsAre(HasSubstr(bare_ + ": all 30 pictures; --split valid takes only those")));
}

TEST_F(EvaluateBareFolder, HasNoTest) {
  EXPECT_THAT(error_text([&] { evaluated("test"); }), HasSubstr("has no split \"test\"; leave out --split"));
}

TEST_F(EvaluateBareFolder, MayLackPicturesOfAClass) {
  std::filesystem::remove_all(bare_ + "/red suit");
  std::filesystem::create_directory(bare_ + "/red suit");
  EXPECT_EQ(evaluated("").samples, 20);
}

TEST_F(EvaluateBareFolder, CountsEachPictureOnce) {
  const EvalReport report = evaluated("");
  std::int64_t correct = 0, predicted = 0;
  for (const ClassReport& c : report.per_class) {
    EXPECT_EQ(c.samples, 10) << c.name;
    correct += c.correct;
    predicted += c.predicted;
  }
  EXPECT_EQ(predicted, 30);
  EXPECT_EQ(static_cast<double>(correct) / 30, report.accuracy);
}

TEST_F(EvaluateBareFolder, WarnsOfABadFileAndGoesOn) {
  testing_support::write_bytes(bare_ + "/red suit/bad.jpg", "no picture");
  const ExpectWarning skipped("red suit/bad.jpg: not a picture");
  EXPECT_EQ(evaluated("").samples, 30);
}

TEST_F(EvaluateBareFolder, SplitsOfARootNeedNoExplanation) {
  EXPECT_EQ(evaluate(*model_, small_.data(), "").samples, 12);
  EXPECT_EQ(evaluate(*model_, small_.data(), "valid").samples, 12);
  EXPECT_EQ(evaluate(*model_, small_.data(), "train").samples, 30);
  EXPECT_THAT(logged_notes(), IsEmpty());
}

}  // namespace
}  // namespace cudacards
