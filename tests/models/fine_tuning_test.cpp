// Which layers freeze, which learn at what rate, and what is refused.

#include "models/fine_tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "models/registry.h"
#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing_support::error_text;

constexpr std::int64_t kHead = 1280 * 53 + 53;

Graph network(const FineTuning& fine_tuning, Head head = Head::kLinear) {
  return build_model("mobilenetv2", {.width_multiplier = 0.35f, .head = head, .fine_tuning = fine_tuning});
}

/// Places ("stem", "block_03", "head") with a layer that learns something.
std::set<std::string> learning_places(const Graph& graph) {
  std::set<std::string> places;
  for (const Layer& layer : graph.layers()) {
    if (layer.trainable && !layer.parameters.empty()) places.insert(layer.name.substr(0, layer.name.find('/')));
  }
  return places;
}

bool is_norm(const Layer& layer) { return dynamic_cast<const BatchNorm*>(layer.operation.get()) != nullptr; }

TEST(FreezeText, ReadsBackAsItIsWritten) {
  for (const char* text : {"none", "backbone", "blocks:0", "blocks:17"})
    EXPECT_EQ(Freeze::from_text(text, "--freeze").to_string(), text);
}

TEST(FreezeText, RefusesOtherWords) {
  for (const char* text : {"", "all", "blocks", "blocks:", "blocks:-1", "blocks:3x", "blocks:99999999999", "Backbone"})
    EXPECT_THAT(error_text([&] { Freeze::from_text(text, "--freeze"); }), HasSubstr("--freeze: there is no \""))
        << text;
  EXPECT_THAT(error_text([&] { Freeze::from_text("backbon", "--freeze"); }), HasSubstr("did you mean \"backbone\"?"));
}

TEST(FineTuning, FreezesTheBackboneAndLeavesTheHead) {
  const Graph graph = network({.freeze = {Freeze::Part::kBackbone}});
  EXPECT_EQ(graph.trainable_count(), kHead);
  EXPECT_EQ(learning_places(graph), std::set<std::string>{"head"});
}

TEST(FineTuning, FreezesTheStemAndTheFirstBlocks) {
  const auto frozen_first = [](int blocks) {
    return learning_places(network({.freeze = {Freeze::Part::kBlocks, blocks}}));
  };
  EXPECT_EQ(frozen_first(17), (std::set<std::string>{"top", "head"}));
  EXPECT_EQ(frozen_first(15), (std::set<std::string>{"block_15", "block_16", "top", "head"}));
  const auto only_stem_frozen = frozen_first(0);
  EXPECT_FALSE(only_stem_frozen.contains("stem"));
  EXPECT_TRUE(only_stem_frozen.contains("block_00"));
  EXPECT_EQ(error_text([&] { frozen_first(18); }),
            "--freeze blocks:18: the model has 17 blocks; --freeze backbone freezes all below the head");
}

TEST(FineTuning, FrozenBatchNormsLeaveConvolutionsLearning) {
  const Graph all = network({}), frozen = network({.batch_norms = BatchNorms::kFrozen});
  std::int64_t gammas_and_betas = 0;
  for (const Layer& layer : frozen.layers()) {
    EXPECT_EQ(layer.trainable, !is_norm(layer)) << layer.name;
    if (is_norm(layer)) gammas_and_betas += 2 * layer.shape[3];
  }
  EXPECT_EQ(gammas_and_betas, 14'080) << "as many as there are means and variances";
  EXPECT_EQ(frozen.trainable_count(), all.trainable_count() - gammas_and_betas);
}

TEST(FineTuning, GivesEveryNormTheMomentum) {
  const Graph graph = network({.momentum = 0.75f});
  for (const Layer& layer : graph.layers()) {
    const auto* norm = dynamic_cast<const BatchNorm*>(layer.operation.get());
    EXPECT_EQ(norm != nullptr ? norm->momentum : 0.75f, 0.75f) << layer.name;
  }
}

TEST(FineTuning, SlowsEachBlockDownAgainstTheOneAboveIt) {
  const Graph graph = network({.layer_decay = 0.5f});
  const auto scale = [&](const std::string& name) {
    for (const Layer& layer : graph.layers()) {
      if (layer.name == name) return layer.rate_scale;
    }
    return NAN;
  };
  EXPECT_EQ(scale("head"), 1.0f);
  EXPECT_EQ(scale("top/bn"), 0.5f);
  EXPECT_EQ(scale("block_16/project"), 0.25f);
  EXPECT_EQ(scale("block_16/expand_bn"), 0.25f);
  EXPECT_EQ(scale("block_00/depthwise"), std::ldexp(1.0f, -18));
  EXPECT_EQ(scale("stem/conv"), std::ldexp(1.0f, -19));
  const Graph uniform = network({});
  for (const Layer& layer : uniform.layers()) EXPECT_EQ(layer.rate_scale, 1.0f) << layer.name;
}

TEST(FineTuning, DoesNotThawWhatAHeadHasFrozen) {
  EXPECT_EQ(network({}, Head::kNotebook).trainable_count(), 53'106);
  EXPECT_EQ(network({.freeze = {Freeze::Part::kBackbone}}, Head::kNotebookFinetune).trainable_count(), 135'093);
}

TEST(FineTuning, IsRefusedWhereThereIsNothingToFreeze) {
  const auto refusal = [](const FineTuning& f) { return error_text([&] { build_model("cnn", {.fine_tuning = f}); }); };
  EXPECT_EQ(refusal({.freeze = {Freeze::Part::kBlocks, 3}}),
            "cnn has no pre-trained features to freeze: leave out --freeze blocks:3");
  EXPECT_EQ(refusal({.batch_norms = BatchNorms::kFrozen}), "cnn has no batch norms: leave out --bn");
  EXPECT_EQ(refusal({.layer_decay = 0.9f}), "cnn has one learning rate: leave out the layer decay");
  EXPECT_EQ(refusal({.momentum = 0.5f}), "(no error)");
}

}  // namespace
}  // namespace cudacards
