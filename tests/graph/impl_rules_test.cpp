// What --impl may say, and what it is told when it says something else.

#include "host/graph/impl_rules.h"

#include <gtest/gtest.h>

#include "models/registry.h"
#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing_support::error_text;

ImplRules rules(const std::string& text) {
  ImplRules parsed;
  parsed.add(text, "--impl");
  return parsed;
}

TEST(ImplRules, ReadWhatTheyWrite) {
  for (const char* text : {"auto", "hand", "vendor,conv2d=reference", "auto,conv2d=onednn:pool-fused,dense_1=hand"}) {
    EXPECT_EQ(rules(text).to_string(), text);
    EXPECT_EQ(rules(rules(text).to_string()), rules(text));
  }
  EXPECT_EQ(rules("conv2d=vendor").to_string(), "auto,conv2d=vendor");
}

TEST(ImplRules, LaterOnesWin) {
  ImplRules r = rules("hand,conv2d=vendor,conv2d=reference");
  EXPECT_EQ(r.of("conv2d").word, "reference");
  EXPECT_TRUE(r.of("conv2d").is_of_node);
  EXPECT_EQ(r.of("dense").word, "hand");
  EXPECT_FALSE(r.of("dense").is_of_node);
  r.add("vendor", "--impl");
  EXPECT_EQ(r.of("dense").word, "vendor");
  EXPECT_EQ(r.of("conv2d").word, "reference") << "a node's rule outlives one for everywhere";
}

TEST(ImplRules, RefuseWhatIsNoRule) {
  for (const char* text : {"", ",", "hand,", "conv2d=", "=hand", "a=b=c", "hand,,vendor"}) {
    EXPECT_NE(error_text([&] { rules(text); }).find("expected a family (auto, hand, vendor, reference)"),
              std::string::npos)
        << text;
  }
}

class ImplRulesCheck : public ::testing::Test {
 protected:
  std::string complaint(const std::string& text) {
    return error_text([&] { rules(text).check(graph_); });
  }
  const Graph graph_ = build_model("cnn", {.height = 16, .width = 16});
};

TEST_F(ImplRulesCheck, KnowsNodesAndGuesses) {
  EXPECT_EQ(complaint("conv2d=vendor,dense_1=hand,rescaling=reference"), "(no error)");
  EXPECT_NE(complaint("conv2=vendor").find("no node \"conv2\", did you mean \"conv2d\"?; nodes: rescaling, conv2d,"),
            std::string::npos);
  EXPECT_NE(complaint("max_pooling2d=vendor").find("no node \"max_pooling2d\": \"conv2d\" computes it"),
            std::string::npos);
  EXPECT_NE(complaint("flatten=vendor").find("no node \"flatten\""), std::string::npos) << "a view runs nothing";
  EXPECT_EQ(error_text([&] { rules("max_pooling2d=vendor").check(graph_, false); }), "(no error)") << "not fused";
}

TEST_F(ImplRulesCheck, KnowsImplementationsAndGuesses) {
  EXPECT_EQ(complaint("onednn"), "(no error)");
  EXPECT_EQ(complaint("dense=hand:dense"), "(no error)") << "of another device: a file may be carried";
  EXPECT_NE(complaint("dense=onedn").find("dense has no \"onedn\", did you mean \"onednn\"?"), std::string::npos);
  EXPECT_NE(complaint("dense=onednn:pool-fused").find("dense has no \"onednn:pool-fused\""), std::string::npos);
  EXPECT_NE(complaint("vendro").find("the model has no \"vendro\", did you mean \"vendor\"?"), std::string::npos);
}

}  // namespace
}  // namespace cudacards
