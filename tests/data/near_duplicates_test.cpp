// Copies are found however they were saved, and what only looks alike is not.

#include "host/data/near_duplicates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "host/data/deck/deck.h"
#include "host/data/image_decode.h"
#include "host/data/likeness.h"
#include "host/data/resize.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::error_text;
using testing_support::jpeg;
using testing_support::TemporaryFolder;
using testing_support::write;

Image card(int card, int index) { return decode_image(draw_card_jpeg({.size = 256}, DeckSplit::kTrain, card, index)); }

Image resized(const Image& image, int height, int width) {
  Image result(height, width);
  resize(image, height, width, result.pixels.get());
  return result;
}

Image brighter(const Image& image) {
  Image result(image.height, image.width);
  std::transform(image.pixels.get(), image.pixels.get() + image.bytes(), result.pixels.get(),
                 [](std::uint8_t v) { return static_cast<std::uint8_t>(std::min(255, 30 + v * 4 / 5)); });
  return result;
}

/// By one pixel of 64, as a slightly different crop.
Image moved(const Image& image) {
  Image result(image.height, image.width);
  const int by = image.width / 64;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* from =
          image.pixels.get() + Image::bytes_of(y, image.width) + 3 * static_cast<std::size_t>(std::max(0, x - by));
      std::copy_n(from, 3, result.pixels.get() + Image::bytes_of(y, image.width) + 3 * static_cast<std::size_t>(x));
    }
  }
  return result;
}

/// A mark of a fortieth of the picture's area, as a pip or an index is: too little for a measure of the whole.
Image with_another_mark(const Image& image) {
  Image result = resized(image, image.height, image.width);
  for (int y = image.height / 2; y < image.height * 2 / 3; ++y) {
    for (int x = image.width / 2; x < image.width * 2 / 3; ++x) {
      std::uint8_t* pixel = result.pixels.get() + Image::bytes_of(y, image.width) + 3 * static_cast<std::size_t>(x);
      for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(255 - pixel[c]);
    }
  }
  return result;
}

Image flat(std::uint8_t value) {
  Image image(32, 32);
  std::fill_n(image.pixels.get(), image.bytes(), value);
  return image;
}

TEST(Likeness, SurvivesWhatHappensToCopies) {
  for (int i = 0; i < 5; ++i) {
    const Image original = card(i * 10, i);
    const Likeness known(original);
    const Image copies[] = {decode_image(jpeg(original, {.quality = 30})), resized(original, 100, 130),
                            brighter(original)};
    for (const Image& copy : copies) {
      const Likeness likeness(copy);
      EXPECT_LE(std::popcount(likeness.hash() ^ known.hash()), 16) << i;
      EXPECT_GT(correlation(likeness, known), 0.93) << i;
      EXPECT_LT(difference(likeness, known), kNearLimit) << i << " " << &copy - copies;
    }
  }
}

TEST(Likeness, FindsBlocksThatHaveMoved) {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const Image original = testing_support::picture(128, 128, seed);
    const Likeness one(original), other(moved(original));
    EXPECT_NE(one.fine(), other.fine());
    EXPECT_LT(difference(one, other), kNearLimit / 2) << seed;
  }
}

TEST(Likeness, IsZeroOfItself) {
  const Likeness likeness(card(3, 1));
  EXPECT_EQ(difference(likeness, Likeness(card(3, 1))), 0);
  EXPECT_NEAR(correlation(likeness, likeness), 1, 1e-5);
}

TEST(Likeness, SeesASmallMarkThatTheWholePictureHides) {
  for (int i = 0; i < 5; ++i) {
    const Likeness one(card(i, i)), other(with_another_mark(card(i, i)));
    EXPECT_GT(correlation(one, other), 0.7) << "the whole picture is much the same";
    EXPECT_GT(difference(one, other), kNearLimit) << i;
    EXPECT_GT(difference(one, other, 0.2), 0.2) << "said early: still more than enough";
  }
}

TEST(Likeness, KnowsPicturesWithoutContrast) {
  EXPECT_EQ(difference(Likeness(flat(10)), Likeness(flat(10))), 0);
  EXPECT_EQ(difference(Likeness(flat(10)), Likeness(flat(200))), 1);
  EXPECT_EQ(difference(Likeness(flat(10)), Likeness(card(0, 0))), 1);
  EXPECT_EQ(correlation(Likeness(flat(10)), Likeness(flat(10))), 0);
}

class NearDuplicatesOfAFolder : public testing::Test {
 protected:
  void put(const char* name, const Image& image, int quality = 95) const {
    write(folder_.path() / name, jpeg(image, {.quality = quality}));
  }
  NearDuplicates find(double limit = kNearLimit) const {
    return find_near_duplicates(scan_folders({.root = folder_.path()}), limit);
  }
  const TemporaryFolder folder_;
};

TEST_F(NearDuplicatesOfAFolder, LeadWithLeaksThenLabels) {
  put("train/a/1.jpg", card(1, 0));
  put("train/a/2.jpg", card(1, 0), 60);  // in one class: with a/1
  put("train/b/1.jpg", card(2, 0));
  put("train/a/3.jpg", card(2, 0), 50);  // under two classes: with b/1
  put("train/b/2.jpg", card(3, 0));
  put("valid/b/1.jpg", resized(card(3, 0), 120, 120));  // in two splits: with b/2
  put("train/b/3.jpg", card(4, 0));
  put("train/a/4.jpg", card(5, 1));
  const NearDuplicates found = find();
  EXPECT_EQ(found.pictures, 8);
  ASSERT_THAT(found.pairs, SizeIs(3));
  EXPECT_TRUE(found.pairs[0].across_splits());
  EXPECT_FALSE(found.pairs[0].across_labels());
  EXPECT_THAT(found.pairs[0].first.path, EndsWith("train/b/2.jpg"));
  EXPECT_EQ(found.pairs[0].first.split, "train");
  EXPECT_THAT(found.pairs[0].second.path, EndsWith("valid/b/1.jpg"));
  EXPECT_EQ(found.pairs[0].second.class_name, "b");
  EXPECT_TRUE(found.pairs[1].across_labels());
  EXPECT_FALSE(found.pairs[1].across_splits());
  EXPECT_THAT(found.pairs[2].second.path, EndsWith("train/a/2.jpg"));
  EXPECT_GT(found.pairs[2].difference, 0);
}

TEST_F(NearDuplicatesOfAFolder, DependOnTheLimit) {
  put("a/1.jpg", card(1, 0));
  put("a/2.jpg", card(1, 0), 30);
  put("a/3.jpg", card(1, 0));
  EXPECT_THAT(find(0).pairs, SizeIs(1)) << "the same bytes";
  EXPECT_THAT(find().pairs, SizeIs(3));
}

TEST_F(NearDuplicatesOfAFolder, ListBadFilesAndGoOn) {
  put("a/1.jpg", flat(77));
  put("a/2.jpg", flat(77));
  put("a/3.jpg", flat(20));
  write(folder_.path() / "a" / "bad.jpg", {1, 2, 3});
  const NearDuplicates found = find();
  EXPECT_EQ(found.pictures, 3);
  EXPECT_THAT(found.pairs, SizeIs(1)) << "without contrast only the same is the same";
  ASSERT_THAT(found.bad, SizeIs(1));
  EXPECT_THAT(found.bad[0].path, EndsWith("a/bad.jpg"));
}

TEST_F(NearDuplicatesOfAFolder, AreErrorsWithoutAPicture) {
  std::filesystem::create_directories(folder_.path() / "a");
  EXPECT_THAT(error_text([&] { find(); }), HasSubstr("no picture to compare"));
  write(folder_.path() / "a" / "bad.jpg", {1, 2, 3});
  EXPECT_THAT(error_text([&] { find(); }), HasSubstr("no picture can be read: "));
}

// Looked at, pair by pair: each shows one card twice.
TEST(RealCards, HaveTenLeaksAndSixPairsUnderTwoLabels) {
  const char* shared = std::getenv("CUDACARDS_SHARED");
  if (shared == nullptr || *shared == 0) GTEST_SKIP() << "skipped: no data";
  const NearDuplicates found = find_near_duplicates(scan_folders({.root = std::string(shared) + "/cards"}));
  EXPECT_EQ(found.pictures, 7624 + 265);
  EXPECT_THAT(found.bad, IsEmpty());
  EXPECT_EQ(found.pairs.size(), 162u);
  EXPECT_EQ(std::ranges::count_if(found.pairs, &NearDuplicate::across_splits), 10);
  EXPECT_EQ(std::ranges::count_if(found.pairs, &NearDuplicate::across_labels), 6);
  const auto labels = std::ranges::find_if(found.pairs, &NearDuplicate::across_labels);
  EXPECT_THAT(labels->first.path, EndsWith("four of clubs/127.jpg"));
  EXPECT_THAT(labels->second.path, EndsWith("four of spades/120.jpg"));
}

}  // namespace
}  // namespace cudacards
