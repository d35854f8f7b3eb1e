// Every picture is on the sheet, whole and in its row; words stay within their label.

#include "host/report/contact_sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "host/data/dataset.h"
#include "host/report/class_sheet.h"
#include "host/runtime/error.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::error_text;
using testing_support::picture;
using testing_support::TemporaryFolder;
using testing_support::write;
using testing_support::write_class;

Image filled(int side, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  Image image(side, side);
  for (std::size_t i = 0; i < image.bytes(); i += 3) {
    image.pixels[i] = red;
    image.pixels[i + 1] = green;
    image.pixels[i + 2] = blue;
  }
  return image;
}

/// The box of all pixels of a colour: left, top, width, height, and how many they are.
std::array<int, 5> box_of(const Image& image, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  int left = image.width, top = image.height, right = -1, bottom = -1, count = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel =
          image.pixels.get() + Image::bytes_of(y, image.width) + 3 * static_cast<std::size_t>(x);
      if (pixel[0] != red || pixel[1] != green || pixel[2] != blue) continue;
      left = std::min(left, x), right = std::max(right, x), top = std::min(top, y), bottom = std::max(bottom, y);
      ++count;
    }
  }
  return {left, top, right - left + 1, bottom - top + 1, count};
}

TEST(ContactSheet, ShowsEachPictureWholeBesideItsLabel) {
  ContactSheet sheet{.title = "t", .side = 20};
  sheet.rows.resize(2);
  sheet.rows[0].pictures.push_back(filled(20, 255, 0, 0));
  sheet.rows[0].pictures.push_back(filled(20, 0, 255, 0));
  sheet.rows[1].pictures.push_back(filled(20, 0, 0, 255));
  const Image image = draw_contact_sheet(sheet);
  const auto red = box_of(image, 255, 0, 0), green = box_of(image, 0, 255, 0), blue = box_of(image, 0, 0, 255);
  for (const auto& box : {red, green, blue})
    EXPECT_THAT(std::vector(box.begin() + 2, box.end()), ElementsAre(20, 20, 400));
  EXPECT_EQ(red[1], green[1]) << "one row";
  EXPECT_GT(green[0], red[0] + 20);
  EXPECT_GT(blue[1], red[1] + 20) << "the next row";
  EXPECT_EQ(blue[0], red[0]) << "in the same column";
}

TEST(ContactSheet, IsAsLargeAsItWasSaidToBe) {
  for (const std::size_t rows : {1u, 2u, 53u}) {
    ContactSheet sheet{.title = "t", .side = 20};
    sheet.rows.resize(rows);
    for (auto& row : sheet.rows) row.pictures.push_back(filled(20, 255, 0, 0));
    const Image image = draw_contact_sheet(sheet);
    EXPECT_EQ(contact_sheet_size({.side = 20}, rows, 1), (ImageSize{image.height, image.width}));
    EXPECT_EQ(box_of(image, 255, 0, 0)[4], static_cast<int>(rows) * 400);
  }
}

TEST(ContactSheet, FillsAScreenRatherThanARibbon) {
  const ImageSize size = contact_sheet_size({.side = 96}, 53, 6);
  EXPECT_LT(size.height, size.width);
  EXPECT_LT(size.width, 3 * size.height);
}

TEST(ContactSheet, KeepsWordsOfAnyLengthOffThePictures) {
  ContactSheet sheet{.title = "t", .side = 20};
  sheet.rows.resize(1);
  sheet.rows[0].title = std::string(300, 'W') + " and \xC3\xA4\xC3\xB6 \xFF more words than there is room for at all";
  sheet.rows[0].notes = {std::string(300, 'W')};
  sheet.rows[0].pictures.push_back(filled(20, 255, 0, 0));
  EXPECT_EQ(box_of(draw_contact_sheet(sheet), 255, 0, 0)[4], 400);
}

TEST(Thumbnail, ShowsThePixelsOfASmallPicture) {
  Image four(2, 2);
  for (std::size_t i = 0; i < four.bytes(); ++i) four.pixels[i] = static_cast<std::uint8_t>(20 * i);
  const Image large = thumbnail(four, 8);
  std::set<int> values;
  for (std::size_t i = 0; i < large.bytes(); i += 3) values.insert(large.pixels[i]);
  EXPECT_THAT(values, ElementsAre(0, 60, 120, 180)) << "nothing between the four";
  const Image small = thumbnail(picture(40, 60, 1), 8);
  EXPECT_EQ((ImageSize{small.height, small.width}), (ImageSize{8, 8}));
}

class ClassSheets : public testing::Test {
 protected:
  ClassSheets() {
    write_class(folder_.path() / "many", 5, 1);
    write_class(folder_.path() / "one", 1, 2);
    write(folder_.path() / "bad" / "bad.jpg", {1, 2, 3});
    dataset_ = scan_dataset({.root = folder_.path(), .holdout = 0});  // classes: bad, many, one
  }
  ClassSheet draw(const ClassSheetOptions& options) const {
    return class_sheet("t", dataset_.train, dataset_.classes, options);
  }

  const TemporaryFolder folder_;
  Dataset dataset_;
};

TEST_F(ClassSheets, NameWhatCannotBeReadAndGoOn) {
  const ClassSheet sheet = draw({.labels = {0, 1, 2}, .per_class = 3, .image_size = 16});
  ASSERT_EQ(sheet.bad.size(), 1u);
  EXPECT_THAT(sheet.bad[0].path, HasSubstr("bad/bad.jpg"));
  EXPECT_THAT(sheet.bad[0].reason, HasSubstr("not a picture"));
}

TEST_F(ClassSheets, TakeAnotherPictureInABadOnesPlace) {
  for (int i = 0; i < 20; ++i) write(folder_.path() / "one" / ("bad" + std::to_string(i) + ".jpg"), {1, 2, 3});
  dataset_ = scan_dataset({.root = folder_.path(), .holdout = 0});
  const ClassSheet sheet = draw({.labels = {2}, .per_class = 1, .thumbnail = 16, .image_size = 16});
  EXPECT_THAT(sheet.bad, testing::Not(IsEmpty()));
  const Image good = draw_contact_sheet({.title = "t", .side = 16, .rows = {}});
  EXPECT_GT(sheet.image.width, good.width) << "its one good picture is there";
}

TEST_F(ClassSheets, AreErrorsWhereNothingCanBeShown) {
  EXPECT_THAT(error_text([&] { draw({.labels = {0}}); }), HasSubstr("no picture of these classes can be read"));
  EXPECT_THAT(error_text([&] { class_sheet("t", {}, dataset_.classes, {.labels = {1}}); }),
              HasSubstr("these classes have no picture"));
}

TEST_F(ClassSheets, DependOnTheirSeedAlone) {
  const auto pixels = [&](std::uint64_t seed) {
    const ClassSheet sheet = draw({.labels = {1}, .per_class = 2, .image_size = 16, .seed = seed});
    return std::string(sheet.image.pixels.get(), sheet.image.pixels.get() + sheet.image.bytes());
  };
  EXPECT_EQ(pixels(1), pixels(1));
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) different.insert(pixels(seed));
  EXPECT_GT(different.size(), 1u);
}

TEST_F(ClassSheets, KnowTheirSizeBefore) {
  const ClassSheetOptions options{.labels = {1, 2}, .per_class = 50, .image_size = 16};
  const ImageSize size = class_sheet_size(dataset_.train, options);
  const ClassSheet sheet = draw(options);
  EXPECT_EQ(size, (ImageSize{sheet.image.height, sheet.image.width}));
}

}  // namespace
}  // namespace cudacards
