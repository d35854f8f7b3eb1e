// JPEG files come out as their pixels, upright; everything that is not a whole picture is refused with a reason,
// quickly and in little memory. Formats besides JPEG depend on the build.

#include "host/data/image_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "host/runtime/error.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing_support::ByteOrder;
using testing_support::Bytes;
using testing_support::error_text;
using testing_support::exif;
using testing_support::jpeg;
using testing_support::picture;
using testing_support::with_segment;
using Kind = testing_support::JpegOptions::Kind;

constexpr std::uint8_t kApp1 = 0xE1;

std::string refusal(const Bytes& file) {
  return error_text([&] { decode_image(file); });
}

int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.width, b.width);
  int largest = 0;
  for (std::size_t i = 0; i < a.bytes(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

TEST(ImageDecode, GivesThePixelsThatWereEncoded) {
  const Image original = picture(37, 53, 1);
  for (const Kind kind : {Kind::kColour, Kind::kProgressive}) {
    EXPECT_LE(largest_difference(decode_image(jpeg(original, {.kind = kind, .quality = 100})), original), 4);
  }
}

TEST(ImageDecode, TellsTheSizeFromTheHeader) {
  const Bytes file = jpeg(picture(20, 30, 1));
  EXPECT_EQ(image_size(file), (ImageSize{20, 30}));
  EXPECT_EQ(image_size(with_segment(file, kApp1, exif(6, ByteOrder::kIntel))), (ImageSize{30, 20}));
}

TEST(ImageDecode, MakesThreeEqualChannelsOfGrey) {
  const Image image = decode_image(jpeg(picture(16, 16, 2), {.kind = Kind::kGrey}));
  for (std::size_t i = 0; i < image.bytes(); i += 3) {
    ASSERT_EQ(image.pixels[i], image.pixels[i + 1]);
    ASSERT_EQ(image.pixels[i], image.pixels[i + 2]);
  }
}

// An encoder with an Adobe marker stores the complement of the ink, so that rgb = cmy * k / 255.
TEST(ImageDecode, TakesCmykAsAdobeStoresIt) {
  const Image inks = picture(24, 24, 3);
  const Image image = decode_image(jpeg(inks, {.kind = Kind::kCmyk, .quality = 100}, 128));
  for (std::size_t i = 0; i < image.bytes(); ++i) ASSERT_NEAR(image.pixels[i], inks.pixels[i] * 128 / 255, 4) << i;
}

// Where upright (y, x) lies in the stored picture, by EXIF's words: which side of what one sees row 0 and column 0 are.
std::array<int, 2> stored_place(int orientation, int y, int x, int stored_height, int stored_width) {
  const int last_row = stored_height - 1, last_column = stored_width - 1;
  switch (orientation) {
    case 1:
      return {y, x};  // top, left
    case 2:
      return {y, last_column - x};  // top, right
    case 3:
      return {last_row - y, last_column - x};  // bottom, right
    case 4:
      return {last_row - y, x};  // bottom, left
    case 5:
      return {x, y};  // left, top
    case 6:
      return {last_row - x, y};  // right, top
    case 7:
      return {last_row - x, last_column - y};  // right, bottom
    default:
      return {x, last_column - y};  // 8: left, bottom
  }
}

TEST(ImageDecode, TurnsAllEightOrientationsUpright) {
  const Bytes plain = jpeg(picture(13, 21, 4));
  const Image stored = decode_image(plain);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const ByteOrder order : {ByteOrder::kIntel, ByteOrder::kMotorola}) {
      const Image turned =
          decode_image(with_segment(plain, kApp1, exif(static_cast<std::uint32_t>(orientation), order)));
      ASSERT_EQ(turned.height, orientation >= 5 ? 21 : 13);
      ASSERT_EQ(turned.width, orientation >= 5 ? 13 : 21);
      for (int y = 0; y < turned.height; ++y) {
        for (int x = 0; x < turned.width; ++x) {
          const auto [row, column] = stored_place(orientation, y, x, 13, 21);
          for (int c = 0; c < 3; ++c) {
            ASSERT_EQ(turned.pixels[static_cast<std::size_t>((y * turned.width + x) * 3 + c)],
                      stored.pixels[static_cast<std::size_t>((row * 21 + column) * 3 + c)])
                << "orientation " << orientation << " at " << y << ", " << x;
          }
        }
      }
    }
  }
}

TEST(ImageDecode, IgnoresExifThatMakesNoSense) {
  const Bytes plain = jpeg(picture(8, 10, 5));
  const Bytes good = exif(6, ByteOrder::kIntel);
  std::vector<Bytes> hostile;
  for (const std::uint32_t orientation : {0u, 9u, 65535u}) hostile.push_back(exif(orientation, ByteOrder::kIntel));
  for (std::size_t length = 0; length < 6 + 8 + 2 + 12; ++length)
    hostile.emplace_back(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
  for (const std::size_t at : {10u, 11u, 12u, 13u}) {  // the directory's offset, far beyond the end
    hostile.push_back(good);
    hostile.back()[at] = 0xFF;
  }
  hostile.push_back(good);
  hostile.back()[14] = hostile.back()[15] = 0xFF;  // 65,535 entries
  hostile.back()[16] = 0;                          // and this is none of interest
  for (const Bytes& segment : hostile) {
    const Image image = decode_image(with_segment(plain, kApp1, segment));
    EXPECT_EQ(image.height, 8);
    EXPECT_EQ(image.width, 10);
  }
}

TEST(ImageDecode, RefusesWhatIsNotAPictureByItsFirstBytes) {
  const auto bytes = [](std::string_view text) { return Bytes(text.begin(), text.end()); };
  EXPECT_EQ(refusal({}), "empty file");
  EXPECT_THAT(refusal(bytes("hello, world")), HasSubstr("not a picture"));
  EXPECT_THAT(refusal(bytes("GIF89a.....")), HasSubstr("a GIF file: convert it to JPEG"));
  EXPECT_THAT(refusal(bytes("<!DOCTYPE html>")), HasSubstr("a web page"));
  EXPECT_THAT(refusal(bytes("\xFF\xD8\xFF")), HasSubstr("truncated or corrupt JPEG"));
  EXPECT_THAT(refusal(bytes("\x89PNG\r\n\x1A\n")), HasSubstr("truncated header"));
}

TEST(ImageDecode, RefusesEveryTruncation) {
  for (const Kind kind : {Kind::kColour, Kind::kProgressive}) {
    const Bytes whole = jpeg(picture(24, 24, 6), {.kind = kind, .quality = 80});
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      ASSERT_NE(refusal(part), "(no error)") << "the first " << length << " of " << whole.size() << " bytes";
    }
  }
}

// 1 x 1 pixel, red.
const Bytes kPng = {0x89, 'P',  'N',  'G',  0x0D, 0x0A, 0x1A, 0x0A, 0,    0,    0,    0x0D, 'I',  'H',
                    'D',  'R',  0,    0,    0,    1,    0,    0,    0,    1,    8,    2,    0,    0,
                    0,    0x90, 0x77, 0x53, 0xDE, 0,    0,    0,    0x0C, 'I',  'D',  'A',  'T',  8,
                    0xD7, 0x63, 0xF8, 0xCF, 0xC0, 0,    0,    3,    1,    1,    0,    0x18, 0xDD, 0x8D,
                    0xB0, 0,    0,    0,    0,    'I',  'E',  'N',  'D',  0xAE, 0x42, 0x60, 0x82};

TEST(ImageDecode, ReadsPngOnlyWhereTheBuildCan) {
#ifdef CUDACARDS_HAS_IMGCODECS
  const Image image = decode_image(kPng);
  EXPECT_EQ(image.pixels[0], 255);
  EXPECT_EQ(image.pixels[1], 0);
#else
  EXPECT_THAT(refusal(kPng), HasSubstr("this build reads JPEG only"));
#endif
  EXPECT_EQ(image_size(kPng), (ImageSize{1, 1}));
}

/// The address space that this process may still take in a child, limited to what it has now plus `bytes`; the child's
/// exit status.
template <class Action>
int in_little_memory(std::size_t bytes, Action&& action) {
  const pid_t child = fork();
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + bytes;
    const rlimit address_space{limit, limit};
    if (setrlimit(RLIMIT_AS, &address_space) != 0) _exit(3);
    try {
      action();
      _exit(0);
    } catch (...) {
      _exit(2);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void expect_refused_cheaply(const Bytes& file, const std::string& words) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(refusal(file), HasSubstr(words));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes of address space
  EXPECT_EQ(in_little_memory(16 << 20, [&] { refusal(file); }), 0);
#endif
}

Bytes with_claimed_size(Bytes file, int height, int width) {
  for (std::size_t i = 0; i + 8 < file.size(); ++i) {
    if (file[i] != 0xFF || (file[i + 1] != 0xC0 && file[i + 1] != 0xC2)) continue;
    file[i + 5] = static_cast<std::uint8_t>(height >> 8), file[i + 6] = static_cast<std::uint8_t>(height);
    file[i + 7] = static_cast<std::uint8_t>(width >> 8), file[i + 8] = static_cast<std::uint8_t>(width);
    return file;
  }
  ADD_FAILURE() << "no frame header";
  return file;
}

TEST(ImageBombs, AHugeHeaderIsRefusedBeforeMemoryIsTaken) {
  for (const Kind kind : {Kind::kColour, Kind::kProgressive}) {
    expect_refused_cheaply(with_claimed_size(jpeg(picture(8, 8, 7), {.kind = kind}), 65500, 65500),
                           "65500 x 65500 pixels: more than the limit");
  }
  Bytes png = kPng;
  png[16] = png[20] = 0x7F;
  expect_refused_cheaply(png, "more than the limit");
}

TEST(ImageBombs, AThousandScansAreRefused) {
  const Bytes small = jpeg(picture(64, 64, 8), {.kind = Kind::kProgressive});
  const Bytes scan = {0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0x10};  // one component's AC coefficients, refined by nothing
  Bytes bomb(small.begin(), small.end() - 2);
  for (int i = 0; i < 1000; ++i) bomb.insert(bomb.end(), scan.begin(), scan.end());
  bomb.insert(bomb.end(), small.end() - 2, small.end());
  expect_refused_cheaply(with_claimed_size(bomb, 8000, 8000), "scans: more than the limit of 64");
}

}  // namespace
}  // namespace cudacards
