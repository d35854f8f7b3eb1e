// The resize is Pillow's antialiased bilinear one, to the bit.

#include "host/data/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "tests/support/pictures.h"

namespace cudacards {
namespace {

TEST(Resize, IsBitEqualToPillow) {
  std::ifstream golden(CUDACARDS_SOURCE_DIR "/tests/golden/resize.bin", std::ios::binary);
  int cases = 0;
  std::uint16_t sizes[4];  // source height and width, destination height and width
  while (golden.read(reinterpret_cast<char*>(sizes), sizeof sizes)) {
    Image src(sizes[0], sizes[1]);
    Image expected(sizes[2], sizes[3]);
    golden.read(reinterpret_cast<char*>(src.pixels.get()), static_cast<std::streamsize>(src.bytes()));
    golden.read(reinterpret_cast<char*>(expected.pixels.get()), static_cast<std::streamsize>(expected.bytes()));
    ASSERT_TRUE(golden.good());
    std::vector<std::uint8_t> actual(expected.bytes());
    resize(src, expected.height, expected.width, actual.data());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      ASSERT_EQ(actual[i], expected.pixels[i])
          << sizes[0] << " x " << sizes[1] << " -> " << sizes[2] << " x " << sizes[3] << " at " << i;
    }
    ++cases;
  }
  EXPECT_EQ(cases, 15);
}

TEST(Resize, LeavesThePictureOfTheSameSizeAsItIs) {
  const Image src = testing_support::picture(11, 7, 1);
  std::vector<std::uint8_t> dst(src.bytes());
  resize(src, 11, 7, dst.data());
  EXPECT_EQ(std::memcmp(dst.data(), src.pixels.get(), dst.size()), 0);
}

TEST(Resize, KeepsAConstantPictureConstant) {
  Image src(301, 77);
  std::fill_n(src.pixels.get(), src.bytes(), std::uint8_t{255});
  std::vector<std::uint8_t> dst(64 * 64 * 3);
  resize(src, 64, 64, dst.data());
  EXPECT_TRUE(std::all_of(dst.begin(), dst.end(), [](std::uint8_t pixel) { return pixel == 255; }));
}

}  // namespace
}  // namespace cudacards
