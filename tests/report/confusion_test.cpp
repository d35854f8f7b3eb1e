// The matrix counts truth by guess; folded by rank or suit it loses no picture.

#include "host/report/confusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Confusion four_cards() {
  Confusion confusion({"ace of clubs", "joker", "king of clubs", "king of hearts"});
  confusion.add(0, 0, 3);
  confusion.add(2, 3, 2);  // the king is right, the suit is not
  confusion.add(3, 2);
  confusion.add(1, 1, 4);
  confusion.add(0, 2);  // the suit is right
  return confusion;
}

TEST(Confusion, CountsWhatIsRight) {
  EXPECT_EQ(four_cards().total(), 11);
  EXPECT_EQ(four_cards().correct(), 7);
  EXPECT_EQ(four_cards().at(2, 3), 2);
  EXPECT_EQ(four_cards().at(3, 2), 1);
}

TEST(Confusion, FoldsByRankInTheOrderOfADeck) {
  const Confusion ranks = fold(four_cards(), CardPart::kRank);
  EXPECT_THAT(ranks.classes, ElementsAre("ace", "king", "joker"));
  EXPECT_EQ(ranks.total(), 11);
  EXPECT_EQ(ranks.correct(), 10);
  EXPECT_EQ(ranks.at(0, 1), 1);
}

TEST(Confusion, FoldsBySuit) {
  const Confusion suits = fold(four_cards(), CardPart::kSuit);
  EXPECT_THAT(suits.classes, ElementsAre("clubs", "hearts", "joker"));
  EXPECT_EQ(suits.correct(), 8);
  EXPECT_EQ(suits.at(0, 1), 2);
}

TEST(Confusion, DoesNotFoldWhatIsNoDeck) {
  EXPECT_THAT(fold(Confusion({"cat", "dog"}), CardPart::kRank).classes, IsEmpty());
}

TEST(Confusion, IsDrawnWithEachFieldsCount) {
  const std::string svg = confusion_svg(four_cards(), "t");
  EXPECT_THAT(svg, HasSubstr("king of clubs: 2 of them called king of hearts"));
  EXPECT_THAT(svg, Not(HasSubstr("joker: 0")));
}

TEST(Confusion, EscapesClassNames) {
  Confusion confusion({"<b>", "c"});
  confusion.add(0, 1);
  EXPECT_THAT(confusion_svg(confusion, "<t>"), Not(HasSubstr("<b>")));
  EXPECT_THAT(confusion_svg(confusion, "<t>"), Not(HasSubstr("<t>")));
}

}  // namespace
}  // namespace cudacards
