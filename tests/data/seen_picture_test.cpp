// What people are shown is what training sees: the loader's view of the same picture, not one like it.

#include "host/data/seen_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/data/loader.h"
#include "host/ops/augment_pixels.h"
#include "host/runtime/error.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

constexpr int kSide = 24;
constexpr std::uint64_t kSeed = 7;
const AugmentOptions kAugment{.rotation_degrees = 15, .scale = 0.2f, .shift = 0.1f, .brightness = 0.3f};

class SeenPicture : public testing::Test {
 protected:
  SeenPicture() {
    testing_support::write_class(folder_.path() / "a", 3, 1, 40);
    dataset_ = scan_dataset({.root = folder_.path(), .holdout = 0});
    pictures_ = decode_pictures(dataset_.train, kSide, kSide, 0, dataset_.classes);
  }

  Image seen(std::size_t index, const AugmentOptions& augment) const {
    return seen_picture(dataset_.train[index].path, kSide, augment, kSeed, index);
  }

  const testing_support::TemporaryFolder folder_;
  Dataset dataset_;
  Pictures pictures_;
};

TEST_F(SeenPicture, IsTheLoadersViewInTheFirstEpoch) {
  Loader loader(pictures_, {.batch = 3, .seed = kSeed, .augment = kAugment});
  const Batch& batch = loader.batch(0, 0);
  std::vector<std::byte> scratch(augment_scratch_bytes(kSide, kSide));
  for (std::size_t i = 0; i < 3; ++i) {
    const Image image = seen(i, kAugment);
    std::vector<float> expected(image.bytes());
    augment_picture(batch.image_pointers[i], kSide, kSide, batch.transforms[i], {}, scratch.data(), expected.data());
    for (std::size_t p = 0; p < image.bytes(); ++p)
      ASSERT_EQ(image.pixels[p], std::lround(std::clamp(expected[p], 0.0f, 255.0f)));
  }
}

TEST_F(SeenPicture, IsTheDecodedPictureWhereNothingIsAugmented) {
  const Image image = seen(1, {});
  EXPECT_TRUE(std::equal(image.pixels.get(), image.pixels.get() + image.bytes(), pictures_.pixels(1)));
}

TEST_F(SeenPicture, ThrowsTheReasonForAFileThatIsNone) {
  EXPECT_THROW(seen_picture(folder_ / "missing.jpg", kSide, {}, 1, 0), Error);
}

}  // namespace
}  // namespace cudacards
