// Generated decks: the cards are what they say they are, the same seed gives the same bytes, and a folder is whole or
// absent.

#include "host/data/deck/deck.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <turbojpeg.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <set>
#include <stdexcept>

#include "host/data/deck/face.h"
#include "host/data/deck/photograph.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

constexpr int kStyles = 24;  // decks that a property is tried on

DeckRandom random_of(int index, DeckStream stream) {
  return {PictureKey{7, 0, static_cast<std::uint32_t>(index), 0}, stream};
}

DeckStyle style_of(int index) {
  DeckRandom random = random_of(index, DeckStream::kStyle);
  return draw_style(random);
}

/// A canvas in card units on an empty card.
struct BlankCard {
  explicit BlankCard(const DeckStyle& style)
      : image(static_cast<int>(style.height * 3), 300, CV_8UC3, cv::Scalar(255, 255, 255)),
        canvas(image, Affine::translate((image.cols - 1) / 2.0, (image.rows - 1) / 2.0) * Affine::scale(3, 3)) {}
  cv::Mat image;
  Canvas canvas;
};

int count_blobs(const cv::Mat& image) {
  cv::Mat grey, labels;
  cv::cvtColor(image, grey, cv::COLOR_RGB2GRAY);
  return cv::connectedComponents(grey < 200, labels) - 1;  // without the paper
}

/// The share of pixels that differ plainly from the picture turned by 180 degrees.
double asymmetry(const cv::Mat& image) {
  cv::Mat turned, difference, grey;
  cv::rotate(image, turned, cv::ROTATE_180);
  cv::absdiff(image, turned, difference);
  cv::cvtColor(difference, grey, cv::COLOR_RGB2GRAY);
  return static_cast<double>(cv::countNonZero(grey > 60)) / static_cast<double>(grey.total());
}

class DeckFolder : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    root_ = fs::temp_directory_path() / fmt::format("cudacards-deck-{}-{}", name, ::getpid());
    fs::create_directories(root_);
    threads_ = threads();
  }
  void TearDown() override {
    set_threads(threads_);
    fs::remove_all(root_);
  }

  static std::map<std::string, std::string> contents(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[fs::relative(entry.path(), folder).string()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  }

  std::string path(const char* name) const { return (root_ / name).string(); }

  static DeckOptions small_pictures(int per_class) {
    DeckOptions options;
    options.per_class = per_class;
    options.size = 48;
    return options;
  }

  fs::path root_;
  int threads_ = 1;
};

TEST(DeckNames, AreTheFiftyThreeCardsSorted) {
  const auto& names = card_names();
  EXPECT_EQ(names.size(), 53u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  std::set<std::string> expected{"joker"};
  for (const char* rank :
       {"ace", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "jack", "queen", "king"}) {
    for (const char* suit : {"clubs", "diamonds", "hearts", "spades"})
      expected.insert(fmt::format("{} of {}", rank, suit));
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), expected);
}

TEST(DeckFace, HasAsManyPipsAsItsRankInEveryStyle) {
  for (int index = 0; index < kStyles; ++index) {
    DeckStyle style = style_of(index);
    style.number_art = NumberArt::kPips;
    style.pip_finish = PipFinish::kFlat;
    std::fill(std::begin(style.suit_colour), std::end(style.suit_colour), Colour{0, 0, 0});
    for (int rank = 2; rank <= 10; ++rank) {
      for (int suit = 0; suit < kSuits; ++suit) {
        BlankCard card(style);
        DeckRandom random = random_of(index, DeckStream::kFace);
        draw_number(card.canvas, {static_cast<Rank>(rank), static_cast<Suit>(suit)}, style, random);
        EXPECT_EQ(count_blobs(card.image), rank) << "style " << index << ", suit " << suit;
      }
    }
  }
}

TEST(DeckFace, HasItsPipsApartFromTheEdges) {
  for (int index = 0; index < kStyles; ++index) {
    const DeckStyle style = style_of(index);
    EXPECT_LT(style.pip_spread_x + style.pip_radius, 48);
    EXPECT_LT(style.pip_spread_y + style.pip_radius, style.height / 2 - 2);
  }
}

TEST(DeckFace, LooksTheSameUpsideDownWhereACardDoes) {
  for (int index = 0; index < kStyles; ++index) {
    DeckStyle style = style_of(index);
    style.paper = style.paper_far = {255, 255, 255};
    style.paper_kind = PaperKind::kPlain;
    style.pip_layout = PipLayout::kHeadDown;
    style.number_art = NumberArt::kPips;
    auto asymmetry_of = [&](Rank rank, Suit suit) {
      DeckRandom random = random_of(index, DeckStream::kFace);
      return asymmetry(draw_face({rank, suit}, style, 288, random));
    };
    for (const Rank rank : {Rank::kTwo, Rank::kFour, Rank::kTen, Rank::kJack, Rank::kQueen, Rank::kKing}) {
      EXPECT_LT(asymmetry_of(rank, Suit::kSpades), 0.006) << "style " << index << ", rank " << static_cast<int>(rank);
    }
    EXPECT_LT(asymmetry_of(Rank::kNine, Suit::kDiamonds), 0.006) << "style " << index;
    EXPECT_GT(asymmetry_of(Rank::kSeven, Suit::kDiamonds), 0.006)
        << "style " << index << ": a seven has its odd pip in one half";
  }
}

TEST(DeckFace, DiffersBetweenAnyTwoCardsOfADeck) {
  const DeckStyle style = style_of(3);
  std::vector<cv::Mat> faces;
  for (int rank = 1; rank <= 13; ++rank) {
    for (int suit = 0; suit < kSuits; ++suit) {
      DeckRandom random = random_of(0, DeckStream::kFace);
      faces.push_back(draw_face({static_cast<Rank>(rank), static_cast<Suit>(suit)}, style, 150, random));
    }
  }
  for (std::size_t i = 0; i < faces.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_GT(cv::norm(faces[i], faces[j], cv::NORM_L1), 50000)
          << i << " and " << j;  // as much as 65 pixels turned from white to black
    }
  }
}

TEST(DeckPhotograph, ShowsTheCardOnHalfOfThePictureAndNeverMirrored) {
  DeckRandom random = random_of(0, DeckStream::kPhotograph);
  const std::vector<cv::Point2f> picture{{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  for (int i = 0; i < 3000; ++i) {
    const Corners corners = draw_placement(random);
    const std::vector<cv::Point2f> card(corners.begin(), corners.end());
    ASSERT_TRUE(cv::isContourConvex(card));
    EXPECT_GT(cv::contourArea(card, true), 0) << "the corners run clockwise on the screen";
    std::vector<cv::Point2f> common;
    EXPECT_GE(cv::intersectConvexConvex(card, picture, common), 0.5f);
  }
}

TEST(DeckPhotograph, PutsTheUpperLeftOfTheFaceAtTheUpperLeftCorner) {
  // Four differently bright quarters; with even placement noise their order around the centre must stay.
  cv::Mat face(400, 288, CV_8UC3, cv::Scalar(255, 255, 255));
  face(cv::Rect(0, 0, 144, 200)).setTo(cv::Scalar(255, 0, 0));
  face(cv::Rect(144, 200, 144, 200)).setTo(cv::Scalar(0, 0, 255));
  for (int i = 0; i < 40; ++i) {
    DeckRandom random = random_of(i, DeckStream::kPhotograph), placement = random,
               noise = random_of(i, DeckStream::kNoise);
    const Corners corners = draw_placement(placement);
    const cv::Mat picture = photograph({face, 0}, std::nullopt, 96, random, noise);
    auto redness = [&](std::size_t corner) {  // halfway from the centre to the corner
      const cv::Point2f centre = (corners[0] + corners[1] + corners[2] + corners[3]) / 4,
                        at = (corners[corner] + centre) / 2 * 96;
      const auto pixel =
          picture.at<cv::Vec3b>(std::clamp(static_cast<int>(at.y), 0, 95), std::clamp(static_cast<int>(at.x), 0, 95));
      return pixel[0] - pixel[2];
    };
    if (std::abs(redness(0) - redness(2)) < 30) continue;  // a picture without colours
    EXPECT_GT(redness(0), redness(2)) << "picture " << i;
  }
}

TEST(DeckCard, IsAFunctionOfSeedSplitClassAndIndex) {
  DeckOptions options;
  const auto original = draw_card_jpeg(options, DeckSplit::kTrain, 5, 2);
  EXPECT_EQ(draw_card_jpeg(options, DeckSplit::kTrain, 5, 2), original);
  EXPECT_NE(draw_card_jpeg(options, DeckSplit::kValid, 5, 2), original);
  EXPECT_NE(draw_card_jpeg(options, DeckSplit::kTrain, 6, 2), original);
  EXPECT_NE(draw_card_jpeg(options, DeckSplit::kTrain, 5, 3), original);
  options.seed = 2;
  EXPECT_NE(draw_card_jpeg(options, DeckSplit::kTrain, 5, 2), original);
}

TEST(DeckCard, HasTheSizeAskedFor) {
  DeckOptions options;
  for (const int size : {32, 100, 224}) {
    options.size = size;
    const cv::Mat picture = draw_card(options, DeckSplit::kTest, 52, 0);
    EXPECT_EQ(picture.size(), cv::Size(size, size));
    EXPECT_EQ(picture.type(), CV_8UC3);
  }
}

TEST_F(DeckFolder, HoldsEveryClassInEverySplitAndEveryFileDecodes) {
  const DeckOptions options = small_pictures(6);
  std::int64_t last = 0, total = 0;
  make_deck(path("deck"), options, [&](std::int64_t done, std::int64_t all) {
    EXPECT_EQ(done, last + 1);
    last = done;
    total = all;
  });
  EXPECT_EQ(total, 53 * (6 + 1 + 1));
  EXPECT_EQ(last, total);
  const auto files = contents(path("deck"));
  EXPECT_EQ(static_cast<std::int64_t>(files.size()), total);
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  for (const auto& [name, bytes] : files) {
    int width = 0, height = 0, subsampling = 0, colours = 0;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    ASSERT_EQ(tjDecompressHeader3(decoder.get(), data, bytes.size(), &width, &height, &subsampling, &colours), 0)
        << name;
    EXPECT_EQ(width, 48);
    EXPECT_EQ(height, 48);
    std::vector<unsigned char> pixels(48 * 48 * 3);
    EXPECT_EQ(
        tjDecompress2(decoder.get(), data, bytes.size(), pixels.data(), 48, 0, 48, TJPF_RGB, TJFLAG_STOPONWARNING), 0)
        << name;
  }
  for (const std::string& card : card_names()) {
    for (int index = 1; index <= 6; ++index)
      EXPECT_TRUE(files.contains(fmt::format("train/{}/{:03}.jpg", card, index)));
    EXPECT_TRUE(files.contains(fmt::format("valid/{}/001.jpg", card)));
    EXPECT_TRUE(files.contains(fmt::format("test/{}/001.jpg", card)));
  }
  std::set<std::string> distinct;
  for (const auto& [name, bytes] : files) distinct.insert(bytes);
  EXPECT_EQ(distinct.size(), files.size()) << "no picture twice, in one split or in two";
}

TEST_F(DeckFolder, IsTheSameForEveryNumberOfThreads) {
  const DeckOptions options = small_pictures(1);
  set_threads(1);
  make_deck(path("one"), options);
  set_threads(3);
  make_deck(path("three"), options);
  EXPECT_EQ(contents(path("one")), contents(path("three")));
}

TEST_F(DeckFolder, ReplacesAnEmptyFolderAndRefusesAFullOne) {
  const DeckOptions options = small_pictures(1);
  fs::create_directories(path("deck"));
  make_deck(path("deck") + "/", options);
  const auto before = contents(path("deck"));
  EXPECT_EQ(before.size(), 53u * 3);
  EXPECT_THROW(make_deck(path("deck"), options), Error);
  EXPECT_EQ(contents(path("deck")), before);
}

TEST_F(DeckFolder, LeavesNothingBehindWhenItFails) {
  const DeckOptions options = small_pictures(2);
  EXPECT_THROW(make_deck(path("deck"), options,
                         [](std::int64_t done, std::int64_t) {
                           if (done == 20) throw std::runtime_error("stop");
                         }),
               std::runtime_error);
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(DeckFolder, RemovesWhatADeadProcessLeftAndNothingElse) {
  const auto make_with_a_file = [&](const char* name) {
    fs::create_directories(path(name) + "/train");
    std::ofstream(path(name) + "/train/001.jpg") << "x";
  };
  make_with_a_file("deck.partial-1");
  make_with_a_file("deck.partial-1-2");
  make_with_a_file("deck.partial-living");
  make_with_a_file("another deck.partial-1");
  const int living = ::open(path("deck.partial-living").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(living, LOCK_EX), 0);
  make_deck(path("deck"), small_pictures(1));
  ::close(living);
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(root_)) left.insert(entry.path().filename());
  EXPECT_EQ(left, (std::set<std::string>{"another deck.partial-1", "deck", "deck.partial-living"}));
}

TEST_F(DeckFolder, SaysWhatIsWrong) {
  std::ofstream(path("file")) << "not a folder";
  EXPECT_THROW(make_deck(path("file"), small_pictures(1)), Error);
  EXPECT_THROW(make_deck(path("file") + "/deck", small_pictures(1)), Error);
  EXPECT_THROW(make_deck(path("deck"), small_pictures(0)), UsageError);
  DeckOptions huge;
  huge.size = 100000;
  EXPECT_THROW(make_deck(path("deck"), huge), UsageError);
  EXPECT_FALSE(fs::exists(path("deck")));
}

}  // namespace
}  // namespace cudacards
