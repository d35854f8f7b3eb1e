// What is written as PNG is read back bit by bit, and a picture's format is the one that its name asks for.

#include "host/data/picture_encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cstdlib>

#include "host/data/image_decode.h"
#include "host/data/png_encode.h"
#include "host/runtime/error.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing_support::error_text;
using testing_support::picture;

std::vector<std::uint8_t> pixels_of_png(const std::vector<std::uint8_t>& file) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&header, file.data(), file.size()), 0) << header.message;
  EXPECT_EQ(header.format, static_cast<png_uint_32>(PNG_FORMAT_RGB)) << "no alpha, no palette";
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(header));
  EXPECT_NE(png_image_finish_read(&header, nullptr, pixels.data(), 0, nullptr), 0) << header.message;
  return pixels;
}

TEST(EncodePng, KeepsEveryPixel) {
  for (const auto& [height, width] : {std::pair(1, 1), std::pair(7, 13), std::pair(64, 3)}) {
    const Image image = picture(height, width, 5);
    const std::vector<std::uint8_t> pixels(image.pixels.get(), image.pixels.get() + image.bytes());
    EXPECT_EQ(pixels_of_png(encode_png(image)), pixels);
  }
}

TEST(EncodePicture, GoesByTheNamesEnding) {
  EXPECT_EQ(picture_format_of("a.b/sheet.PNG"), PictureFormat::kPng);
  EXPECT_EQ(picture_format_of("sheet.jpg"), PictureFormat::kJpeg);
  EXPECT_EQ(picture_format_of("sheet.Jpeg"), PictureFormat::kJpeg);
  for (const char* name : {"sheet", "sheet.gif", ".png", "png", "sheet.png/x"}) {
    EXPECT_THAT(error_text([&] { picture_format_of(name); }), HasSubstr("name it .png or .jpg")) << name;
  }
}

TEST(EncodePicture, WritesJpegsWithTheirColours) {
  const Image image = picture(40, 30, 2);
  const Image read = decode_image(encode_picture(image, PictureFormat::kJpeg));
  ASSERT_EQ(read.bytes(), image.bytes());
  for (std::size_t i = 0; i < image.bytes(); ++i) EXPECT_LE(std::abs(read.pixels[i] - image.pixels[i]), 40);
}

TEST(EncodePicture, RefusesWhatIsTooLargeBeforeItIsDrawn) {
  EXPECT_NO_THROW(check_encodable(PictureFormat::kPng, 70'000, 1000));
  EXPECT_NO_THROW(check_encodable(PictureFormat::kJpeg, 65'500, 1000));
  EXPECT_THAT(error_text([] { check_encodable(PictureFormat::kJpeg, 70'000, 1000); }),
              HasSubstr("1000 x 70000 pixels are too many for one JPEG"));
  EXPECT_THAT(error_text([] { check_encodable(PictureFormat::kPng, 70'000, 70'000); }),
              HasSubstr("too many for one picture"));
}

}  // namespace
}  // namespace cudacards
