// Known answers: how they are read, and when a found card agrees with one.

#include "host/scene/known_cards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/runtime/error.h"
#include "host/scene/draw_found.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using namespace testing_support;

class KnownCardsFile : public testing::Test {
 protected:
  KnownCards read(const std::string& text) const {
    write_bytes(folder_ / "labels.csv", text);
    return read_known_cards(folder_ / "labels.csv");
  }

  std::string problem(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(KnownCardsFile, IsReadByTheNamesOfItsColumns) {
  const KnownCards cards =
      read("ymax,label,filename,xmin,ymin,xmax,more\r\n40,ten of clubs,a.jpg,1.5,2,30,x\r\n9,joker,b.jpg,1,2,3,\r\n");
  ASSERT_THAT(cards, SizeIs(2));
  EXPECT_EQ(cards.at("a.jpg")[0].label, "ten of clubs");
  EXPECT_THAT(cards.at("a.jpg")[0].box, ElementsAre(1.5, 2, 30, 40));
  EXPECT_EQ(cards.at("b.jpg")[0].label, "joker");
}

TEST_F(KnownCardsFile, MayKnowRanksAlone) {
  const KnownCards cards = read("filename,width,height,rank,xmin,ymin,xmax,ymax\na.jpg,9,9,ten,1,2,3,4\n");
  EXPECT_EQ(cards.at("a.jpg")[0].label, "ten");
}

TEST_F(KnownCardsFile, SaysWhatIsWrongAndWhere) {
  const std::string header = "filename,label,xmin,ymin,xmax,ymax\n";
  EXPECT_THAT(problem("filename,xmin,ymin,xmax,ymax\n"), HasSubstr("labels.csv: the header has no column rank"));
  EXPECT_THAT(problem(header + "a,joker,1,2,3\n"), HasSubstr("line 2: 5 columns, and the header has 6"));
  EXPECT_THAT(problem(header + "a,joker,1,2,3,4\na,joker,1,two,3,4\n"), HasSubstr("line 3: \"two\" is no number"));
  for (const std::string number : {"nan", "inf", "-1e300", "1e400"})
    EXPECT_THAT(problem(header + "a,joker,1,2,3," + number + "\n"), HasSubstr("\"" + number + "\" is no number"));
  EXPECT_THAT(problem(header + "a,joker,1,2,1,4\n"), HasSubstr("line 2: a box without pixels"));
  EXPECT_THROW(read_known_cards(folder_ / "missing.csv"), Error);
}

FoundCard found(const std::string& label, double probability, std::array<double, 4> box) {
  return {.label = label, .probability = probability, .quad = {}, .box = box};
}

TEST(CompareCards, WantsTheNameAndHalfOfTheBox) {
  const std::vector<KnownCard> known{{"ten of clubs", {0, 0, 10, 10}}};
  const auto right = [&](const std::string& label, std::array<double, 4> box) -> bool {
    return compare({found(label, 0.9, box)}, known).right[0];
  };
  EXPECT_TRUE(right("ten of clubs", {0, 0, 10, 10}));
  EXPECT_TRUE(right("ten of clubs", {0, 0, 10, 5}));
  EXPECT_FALSE(right("ten of clubs", {0, 0, 10, 4.9}));
  EXPECT_FALSE(right("ten of clubs", {20, 0, 30, 10}));
  EXPECT_FALSE(right("ten of spades", {0, 0, 10, 10}));
}

TEST(CompareCards, ARankStandsForItsFourCards) {
  const std::vector<KnownCard> known{{"ten", {0, 0, 10, 10}}};
  EXPECT_TRUE(compare({found("ten of spades", 0.9, {0, 0, 10, 10})}, known).is_perfect());
  EXPECT_FALSE(compare({found("nine of spades", 0.9, {0, 0, 10, 10})}, known).is_perfect());
}

TEST(CompareCards, FindsEachKnownCardOnce) {
  const std::vector<KnownCard> known{{"joker", {0, 0, 10, 10}}, {"joker", {20, 0, 30, 10}}};
  const Agreement agreement = compare({found("joker", 0.6, {0, 0, 10, 9}), found("joker", 0.9, {0, 0, 10, 10})}, known);
  EXPECT_THAT(agreement.right, ElementsAre(false, true)) << "the more probable one";
  EXPECT_THAT(agreement.met, ElementsAre(true, false));
  FindScore score;
  score.add(agreement);
  score.add(compare({}, {}));
  EXPECT_EQ(score.photos, 2);
  EXPECT_EQ(score.recall(), 0.5);
  EXPECT_EQ(score.precision(), 0.5);
}

TEST(CompareCards, NothingFoundWhereNothingIsIsPerfect) {
  EXPECT_TRUE(compare({}, {}).is_perfect());
  EXPECT_EQ(FindScore{}.recall(), 1);
  EXPECT_EQ(FindScore{}.precision(), 1);
}

std::array<int, 3> pixel(const Image& image, int x, int y) {
  const std::uint8_t* p = &image.pixels[(static_cast<std::size_t>(y) * image.width + x) * 3];
  return {p[0], p[1], p[2]};
}

TEST(DrawFound, DrawsRightAndWrongOutlinesAndMissedBoxes) {
  Image photo(500, 1000);
  std::fill_n(photo.pixels.get(), photo.bytes(), std::uint8_t{90});
  FoundCard card = found("ten of clubs", 0.9, {100, 100, 300, 400});
  card.quad = {PhotoPoint{100, 100}, {300, 100}, {300, 400}, {100, 400}};
  const auto is_green = [](std::array<int, 3> p) { return p[1] > 180 && p[0] < 120; };
  const auto is_red = [](std::array<int, 3> p) { return p[0] > 180 && p[1] < 120; };
  const auto is_yellow = [](std::array<int, 3> p) { return p[0] > 180 && p[1] > 180 && p[2] < 120; };
  const Image alone = draw_found(photo, {card});
  EXPECT_EQ(alone.width, 1000);
  EXPECT_TRUE(is_green(pixel(alone, 100, 150)));
  EXPECT_EQ(pixel(alone, 700, 300), (std::array<int, 3>{90, 90, 90}));
  const std::vector<KnownCard> known{{"ace of clubs", {600, 100, 800, 400}}};
  const Image compared = draw_found(photo, {card}, known, compare({card}, known));
  EXPECT_TRUE(is_red(pixel(compared, 100, 150)));
  EXPECT_TRUE(is_yellow(pixel(compared, 600, 300)));
}

TEST(DrawFound, EnlargesSmallPhotos) {
  Image photo(100, 150);
  std::fill_n(photo.pixels.get(), photo.bytes(), std::uint8_t{90});
  const Image drawn = draw_found(photo, {});
  EXPECT_EQ(drawn.width, 900);
  EXPECT_EQ(drawn.height, 600);
}

}  // namespace
}  // namespace cudacards
