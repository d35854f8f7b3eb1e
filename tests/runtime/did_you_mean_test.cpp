// A slip of the finger is recognised; a word that resembles nothing gets no guess.

#include "host/runtime/did_you_mean.h"

#include <gtest/gtest.h>

namespace cudacards {
namespace {

const std::vector<std::string> kWords = {"cnn", "mlp", "notebook", "best", "--epochs", "--batch"};

TEST(DidYouMean, FindsEachKindOfSlip) {
  EXPECT_EQ(nearest_word("ntoebook", kWords), "notebook");   // neighbours swapped
  EXPECT_EQ(nearest_word("noteboo", kWords), "notebook");    // left out
  EXPECT_EQ(nearest_word("notebbook", kWords), "notebook");  // doubled
  EXPECT_EQ(nearest_word("notevook", kWords), "notebook");   // neighbouring key
  EXPECT_EQ(nearest_word("--epoch", kWords), "--epochs");
}

TEST(DidYouMean, GuessesNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest_word("resnet152", kWords), "");
  EXPECT_EQ(nearest_word("xyz", kWords), "");
  EXPECT_EQ(nearest_word("cnn", {}), "");
  EXPECT_EQ(did_you_mean("resnet152", kWords), "");
}

TEST(DidYouMean, IsTheEndOfASentence) { EXPECT_EQ(did_you_mean("cn", kWords), ", did you mean \"cnn\"?"); }

}  // namespace
}  // namespace cudacards
