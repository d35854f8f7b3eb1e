// Cards are found where they lie: turned, tilted, side by side, upon each other, cut by the picture's edge; and nothing
// where there are none.

#include "host/scene/find_cards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "tests/scene/coloured_cards.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using namespace testing_support;

constexpr double kLeast = 0.55;

std::vector<FoundCard> find(const Table& table) { return find_cards(table.photo(), disc_namer(), kLeast); }

std::vector<std::string> labels_of(const std::vector<FoundCard>& cards) {
  std::vector<std::string> labels;
  for (const FoundCard& card : cards) labels.push_back(card.label);
  return labels;
}

const FoundCard& card_named(const std::vector<FoundCard>& cards, const std::string& label) {
  const auto card = std::find_if(cards.begin(), cards.end(), [&](const FoundCard& c) { return c.label == label; });
  if (card == cards.end()) throw std::runtime_error("no card is called " + label);
  return *card;
}

TEST(FindCards, FindsACardInEveryPosition) {
  for (int degrees = 0; degrees < 360; degrees += 15) {
    SCOPED_TRACE(degrees);
    Table table(400, 400);
    const Quad card = card_at({190, 210}, degrees);
    table.lay(card, degrees / 15 % 3);
    const auto found = find(table);
    ASSERT_THAT(labels_of(found), ElementsAre(disc_namer().classes[static_cast<std::size_t>(degrees / 15 % 3)]));
    EXPECT_NEAR(found[0].probability, 0.9, 1e-6);
    EXPECT_LT(furthest_corner(found[0], card), 2);
    const auto [left, right] = std::minmax({card[0].x, card[1].x, card[2].x, card[3].x});
    const auto [top, bottom] = std::minmax({card[0].y, card[1].y, card[2].y, card[3].y});
    EXPECT_NEAR(found[0].box[0], left, 2);
    EXPECT_NEAR(found[0].box[1], top, 2);
    EXPECT_NEAR(found[0].box[2], right, 2);
    EXPECT_NEAR(found[0].box[3], bottom, 2);
  }
}

TEST(FindCards, WhatAModelHasNoNumberForIsNoCard) {
  Table table(400, 400);
  table.lay(card_at({190, 210}, 0), 0);
  CardNamer namer = disc_namer();
  namer.probabilities = [](std::span<const std::uint8_t* const> cards) {
    return std::vector<float>(cards.size() * 3, std::numeric_limits<float>::quiet_NaN());
  };
  EXPECT_THAT(find_cards(table.photo(), namer, kLeast), IsEmpty());
}

TEST(FindCards, CountsCornersClockwiseFromACardsUpperLeft) {
  Table table(400, 400);
  const Quad card = card_at({200, 200}, 30);
  table.lay(card, 0);
  const auto found = find(table);
  ASSERT_THAT(found, SizeIs(1));
  const auto& quad = found[0].quad;
  const auto side = [&](std::size_t i) {
    return std::hypot(quad[i].x - quad[(i + 1) % 4].x, quad[i].y - quad[(i + 1) % 4].y);
  };
  EXPECT_NEAR(side(0), kCardWidth, 3);
  EXPECT_NEAR(side(1), kCardHeight, 3);
  EXPECT_GT((quad[1].x - quad[0].x) * (quad[2].y - quad[1].y) - (quad[1].y - quad[0].y) * (quad[2].x - quad[1].x), 0);
}

TEST(FindCards, FindsCardsSeenAtATilt) {
  Table table(400, 400);
  const Quad card{cv::Point2d{140, 100}, {240, 108}, {255, 250}, {118, 240}};
  table.lay(card, 2);
  const auto found = find(table);
  ASSERT_THAT(labels_of(found), ElementsAre("blue"));
  EXPECT_LT(furthest_corner(found[0], card), 3);
}

TEST(FindCards, FindsEveryCardOfATable) {
  Table table(700, 500);
  std::vector<Quad> cards;
  for (int i = 0; i < 9; ++i) cards.push_back(card_at({100 + 125.0 * (i % 5), 120 + 230.0 * (i / 5)}, 7 * i, 80));
  for (int i = 0; i < 9; ++i) table.lay(cards[static_cast<std::size_t>(i)], i % 3);
  const auto found = find(table);
  ASSERT_THAT(found, SizeIs(9));
  for (std::size_t i = 0; i < 9; ++i) {
    const bool is_found = std::any_of(found.begin(), found.end(), [&](const FoundCard& card) {
      return card.label == disc_namer().classes[i % 3] && furthest_corner(card, cards[i]) < 3;
    });
    EXPECT_TRUE(is_found) << "card " << i;
  }
}

TEST(FindCards, FindsACardUnderAnother) {
  Table table(400, 400);
  const Quad below = card_at({160, 200}, 0), above = card_at({225, 203}, 0, 115);
  table.lay(below, 0);
  table.lay(above, 2);
  const auto found = find(table);
  ASSERT_THAT(labels_of(found), ElementsAre("blue", "red")) << "the uppermost first";
  EXPECT_LT(furthest_corner(found[0], above), 3);
  EXPECT_LT(furthest_corner(found[1], below), 5);
  EXPECT_NEAR(found[1].box[0], 110, 2);
  EXPECT_NEAR(found[1].box[2], 167.5, 3) << "the box of a card that is partly covered ends where it is covered";
}

TEST(FindCards, FindsACardThatThePictureCuts) {
  Table table(400, 400);
  const Quad whole = card_at({250, 250}, 20), cut = card_at({30, 120}, 0);
  table.lay(whole, 1);
  table.lay(cut, 0);
  const auto found = find(table);
  ASSERT_THAT(labels_of(found), UnorderedElementsAre("green", "red"));
  const FoundCard& card = card_named(found, "red");
  EXPECT_EQ(card.box[0], 0);
  EXPECT_NEAR(card.box[2], 80, 2);
  EXPECT_LT(furthest_corner(card, cut), 6) << "its corners are where they must be, beyond the picture";
}

TEST(FindCards, FindsNothingWhereThereIsNoCard) {
  EXPECT_THAT(find(Table(300, 300)), IsEmpty());
  Table grain(300, 300);
  cv::RNG random(3);
  random.fill(grain.pixels(), cv::RNG::UNIFORM, 0, 255);
  EXPECT_THAT(find(grain), IsEmpty());
}

TEST(FindCards, LeavesOutWhatHasTheShapeOfACardAndIsNone) {
  Table table(400, 400);
  const Quad card = card_at({120, 200}, 10), envelope = card_at({290, 200}, 0);
  table.lay(card, 1);
  table.lay(envelope, 0);
  cv::circle(table.pixels(), {290, 200}, 40, {245, 245, 240}, cv::FILLED);  // blank
  EXPECT_THAT(labels_of(find(table)), ElementsAre("green"));
}

TEST(FindCards, LeavesOutWhatIsLessProbableThanAskedFor) {
  Table table(400, 400);
  table.lay(card_at({200, 200}, 0), 0);
  EXPECT_THAT(find_cards(table.photo(), disc_namer(), 0.89), SizeIs(1));
  EXPECT_THAT(find_cards(table.photo(), disc_namer(), 0.91), IsEmpty());
}

TEST(FindCards, IsMoreCarefulWithJokers) {
  Table table(400, 400);
  table.lay(card_at({200, 200}, 0), 0);
  CardNamer namer = disc_namer();
  namer.classes[0] = "joker";
  namer.probabilities = [](std::span<const std::uint8_t* const> cards) {
    std::vector<float> rows;
    for (std::size_t i = 0; i < cards.size(); ++i) rows.insert(rows.end(), {0.65F, 0.2F, 0.15F});
    return rows;
  };
  EXPECT_THAT(find_cards(table.photo(), namer, kLeast), IsEmpty());
  namer.classes[0] = "jack of clubs";
  EXPECT_THAT(find_cards(table.photo(), namer, kLeast), SizeIs(1));
}

TEST(FindCards, TakesPicturesOfEverySize) {
  for (const cv::Size size : {cv::Size(1, 1), cv::Size(2, 300), cv::Size(7, 5), cv::Size(60, 40)})
    EXPECT_THAT(find(Table(size.width, size.height)), IsEmpty()) << size.width << " x " << size.height;
  Table huge(4000, 3000);
  const Quad card = card_at({2500, 1400}, 33, 900);
  huge.lay(card, 1);
  const auto found = find(huge);
  ASSERT_THAT(labels_of(found), ElementsAre("green"));
  EXPECT_LT(furthest_corner(found[0], card), 16) << "four pixels of the picture that it is found in";
}

TEST(FindCards, FindsCardsInGreyPictures) {
  Table table(400, 400, {70, 70, 70});
  table.lay(card_at({200, 200}, 25), 0);
  cv::Mat grey;
  cv::cvtColor(table.pixels(), grey, cv::COLOR_RGB2GRAY);
  cv::cvtColor(grey, table.pixels(), cv::COLOR_GRAY2RGB);
  CardNamer namer = disc_namer();
  namer.probabilities = [](std::span<const std::uint8_t* const> cards) {
    std::vector<float> rows;
    for (std::size_t i = 0; i < cards.size(); ++i) rows.insert(rows.end(), {0.8F, 0.1F, 0.1F});
    return rows;
  };
  EXPECT_THAT(find_cards(table.photo(), namer, kLeast), SizeIs(1));
}

}  // namespace
}  // namespace cudacards
