// What other frameworks' order of channels does to weights, and to what has been flattened.

#include "host/export/channels_first.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::error_text;

TEST(ChannelsFirst, MovesChannelsInFrontOfRowsAndColumns) {
  // Two pictures of 1 x 2 pixels and 3 channels: 10 * pixel + channel, the second 100 more.
  const std::vector<float> values = {0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112};
  EXPECT_THAT(channels_first(values, {9, 1, 2, 3}), ElementsAre(0, 10, 1, 11, 2, 12, 100, 110, 101, 111, 102, 112));
}

/// A picture of H x W x C, flattened.
struct Flattened {
  Flattened(int h, int w, int c) { x = g.flatten(g.input({h, w, c})); }
  Graph g;
  Node x;
};

TEST(FlattenedPictures, AreFollowedUntilADenseLayer) {
  Flattened f(2, 3, 4);
  f.x = f.g.flatten(f.g.batch_norm(f.g.activation(f.g.dropout(f.x, 0.5f), Activation::kRelu)));
  f.g.logits(f.g.dense(f.x, 5));
  const Shape picture{1, 2, 3, 4};
  const auto pictures = flattened_pictures(f.g);
  ASSERT_EQ(pictures.size(), 7u);
  EXPECT_FALSE(pictures[0]);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_EQ(pictures[i], picture) << i;
  EXPECT_FALSE(pictures[6]);
}

TEST(FlattenedPictures, HaveOneOrderWithOnePixelOrOneChannel) {
  for (const auto& [h, w, c] : {std::array{1, 1, 8}, std::array{3, 2, 1}}) {
    Flattened f(h, w, c);
    f.g.logits(f.x);
    EXPECT_FALSE(flattened_pictures(f.g)[1]) << h << w << c;
  }
}

TEST(FlattenedPictures, WhoseOrderWouldShowAreRefusedByName) {
  Flattened scores(2, 3, 4);
  scores.g.logits(scores.x);
  EXPECT_THAT(error_text([&] { flattened_pictures(scores.g); }), HasSubstr("flatten: the scores are a flattened"));

  Flattened sum(2, 3, 4);
  sum.x = sum.g.add(sum.x, sum.g.dense(sum.x, 24));
  sum.g.logits(sum.g.dense(sum.x, 2));
  EXPECT_THAT(error_text([&] { flattened_pictures(sum.g); }), HasSubstr("add: it joins a flattened picture"));
}

}  // namespace
}  // namespace cudacards
