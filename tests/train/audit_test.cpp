// A wrong label that the model has not learned comes first; the words beside it are the model's and no markup.

#include "host/train/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "host/train/trainer.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/small_run.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing_support::error_text;
using testing_support::SmallRun;

// Three classes whose bars, the means of the labelled probabilities, are 0.7, 0.6 and 0.525.
TEST(ConfidentLearning, SuspectsWhereAnotherClassIsAsSureAsUsual) {
  const std::vector<float> probabilities = {0.9f, 0.05f, 0.05f,   // 0, and 0 is sure
                                            0.5f, 0.45f, 0.05f,   // 0, below every threshold
                                            0.1f, 0.8f,  0.1f,    // 1
                                            0.6f, 0.4f,  0.0f,    // 1, but 0 is more probable: not as sure as usual
                                            0.4f, 0.1f,  0.5f,    // 2
                                            0.0f, 0.45f, 0.55f};  // 2
  const std::vector<int> labels = {0, 0, 1, 1, 2, 2};
  const std::vector<bool> learned(6, true);
  EXPECT_THAT(confident_suspects(probabilities, labels, learned, 3), testing::Each(false));
  std::vector<float> changed = probabilities;
  changed[9] = 0.75f, changed[10] = 0.15f;  // the fourth: 0 at 0.75, above its 0.7; 1's bar is 0.475 now
  EXPECT_THAT(confident_suspects(changed, labels, learned, 3),
              testing::ElementsAre(false, false, false, true, false, false));
}

TEST(ConfidentLearning, TakesItsBarFromPicturesThatWereNotLearned) {
  const std::vector<float> probabilities = {0.99f, 0.01f, 0.6f, 0.4f, 0.3f, 0.7f, 0.8f, 0.2f};
  const std::vector<int> labels = {0, 0, 1, 1};  // the last is more of a 0 than the second
  EXPECT_THAT(confident_suspects(probabilities, labels, {true, true, true, true}, 2),
              testing::ElementsAre(false, false, false, true));
  EXPECT_THAT(confident_suspects(probabilities, labels, {false, true, true, true}, 2), testing::Each(false))
      << "0.99 is the bar of what was not learned";
}

TEST(ConfidentLearning, KnowsNoThresholdOfAClassWithoutPictures) {
  EXPECT_THAT(confident_suspects({0.1f, 0.9f}, {0}, {false}, 2), testing::ElementsAre(false));
}

class AuditOfARun : public testing::Test {
 protected:
  AuditOfARun() : config_(run_.config("mlp", "run")) {
    config_.epochs = 8;
    train({.config = config_, .quiet = true});
  }
  Audit audit(const RunConfig& trained_with) {
    Model model = Model::load(run_.run("run") + "/best.safetensors", {});
    return audit_labels(model, trained_with, run_.data());
  }
  fs::path picture(const char* name) const { return fs::path(run_.data()) / name; }

  const SmallRun run_;
  RunConfig config_;
};

TEST_F(AuditOfARun, PutsAWrongLabelFirstAndTellsContradictions) {
  fs::copy(picture("valid/red suit/000.jpg"), picture("valid/blue suit/wrong.jpg"));
  const Audit found = audit(config_);
  EXPECT_THAT(found.pictures, SizeIs(30 + 12 + 1));
  EXPECT_THAT(found.pictures[0].path, EndsWith("valid/blue suit/wrong.jpg"));
  EXPECT_EQ(found.pictures[0].label, "blue suit");
  EXPECT_EQ(found.pictures[0].rival, "red suit");
  EXPECT_LT(found.pictures[0].margin(), 0);
  EXPECT_TRUE(found.pictures[0].is_suspect);
  EXPECT_FALSE(found.pictures[0].was_learned) << "it is in valid";
  for (std::size_t i = 1; i < found.pictures.size(); ++i)
    EXPECT_LE(found.pictures[i - 1].margin(), found.pictures[i].margin());
  ASSERT_THAT(found.conflicts, SizeIs(1));
  EXPECT_THAT(found.conflicts[0].paths(), SizeIs(2));
}

TEST_F(AuditOfARun, KnowsWhatWasLearned) {
  const Audit found = audit(config_);
  EXPECT_TRUE(found.knows_what_was_learned);
  for (const Judged& p : found.pictures) EXPECT_EQ(p.was_learned, p.split == "train") << p.path;
  EXPECT_THAT(caveat(found), HasSubstr("30 of them"));
  RunConfig elsewhere = config_;
  elsewhere.data = "/somewhere/else";
  const Audit stranger = audit(elsewhere);
  EXPECT_FALSE(stranger.knows_what_was_learned);
  EXPECT_THAT(caveat(stranger), HasSubstr("other data"));
}

TEST_F(AuditOfARun, NamesBadFilesAndGoesOn) {
  testing_support::write(picture("train/blue suit/bad.jpg"), {1, 2, 3});
  const Audit found = audit(config_);
  EXPECT_THAT(found.pictures, SizeIs(42));
  ASSERT_THAT(found.bad, SizeIs(1));
  EXPECT_THAT(found.bad[0].reason, HasSubstr("not a picture"));
}

TEST_F(AuditOfARun, RefusesClassesThatTheModelDoesNotKnow) {
  fs::rename(picture("train/blue suit"), picture("train/black suit"));
  EXPECT_THAT(error_text([&] { audit(config_); }), AllOf(HasSubstr("black suit"), HasSubstr("the model")));
}

TEST_F(AuditOfARun, ShowsTheFirstOnAPage) {
  fs::copy(picture("valid/red suit/000.jpg"), picture("valid/blue suit/<b>.jpg"));
  testing_support::write(picture("valid/blue suit/<i>bad.jpg"), {1, 2, 3});
  Audit found = audit(config_);
  const std::string page = audit_html(found, "the <model>", run_.data(), 2);
  EXPECT_THAT(page, AllOf(HasSubstr("The first 2 by"), HasSubstr("Contradictions"), HasSubstr("&lt;b&gt;.jpg"),
                          HasSubstr("&lt;i&gt;bad.jpg was passed over"), HasSubstr("the &lt;model&gt;"),
                          Not(HasSubstr("<b>.jpg"))));
  fs::remove(picture("valid/blue suit/<b>.jpg"));
  EXPECT_THAT(audit_html(found, "m", run_.data(), 1), HasSubstr("cannot be read any more"));
}

}  // namespace
}  // namespace cudacards
