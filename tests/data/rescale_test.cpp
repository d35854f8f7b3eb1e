// The first operation of every model: exact where a picture is taken as it is, the same bytes for train, eval and
// predict, and within a derived bound of a slow double-precision reference where it is augmented.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <numbers>

#include "host/data/loader.h"
#include "host/data/picture.h"
#include "host/ops/ops.h"
#include "host/ops/reference/rescale.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "tests/support/error_text.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/pictures.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using ::testing::HasSubstr;
using testing_support::error_text;
using testing_support::picture;
using testing_support::TemporaryFolder;

constexpr float kScale = 1.0f / 255, kOffset = -0.5f;

/// dst (N,H,W,3) of one implementation, as raw bytes.
std::vector<std::byte> rescale(std::string_view implementation, const ImageBatch& images, int height, int width,
                               DType type) {
  const Rescale op(kScale, kOffset);
  const Shape shape{static_cast<std::int64_t>(images.images.size()), height, width, 3};
  Problem problem;
  problem.src = {{shape, DType::kU8}};
  problem.dst = {op.infer_shape(std::vector{shape}), type};
  problem.diff_src_wanted = {false};
  problem.threads = threads();
  for (const Implementation& candidate : op.implementations(DeviceKind::kCpu)) {
    if (candidate.name != implementation) continue;
    EXPECT_TRUE(candidate.supports(op, problem));
    const auto kernel = candidate.make(op, problem);
    testing::GuardedBuffer dst(problem.dst.bytes(), "dst"), scratchpad(kernel->memory().scratchpad, "scratchpad");
    dst.poison();
    scratchpad.poison();
    ForwardArgs args;
    args.images = &images;
    args.dst = dst.data();
    args.scratchpad = scratchpad.data();
    kernel->forward(args);
    const auto bytes = dst.as<std::byte>();
    return {bytes.begin(), bytes.end()};
  }
  ADD_FAILURE() << "no implementation " << implementation;
  return {};
}

std::vector<float> floats(const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(Rescale, HasAFastImplementationAndAReferenceOnTheCpu) {
  const Rescale op(1, 0);
  const auto list = op.implementations(DeviceKind::kCpu);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "cpu:augment");
  EXPECT_EQ(list[0].family, "hand");
  EXPECT_EQ(list[1].family, "reference");
  EXPECT_THAT(error_text([&] { op.infer_shape(std::vector{Shape{1, 8, 8, 4}}); }), HasSubstr("3 channels"));
}

TEST(Rescale, IsExactlyPixelTimesScalePlusOffset) {
  Image all(16, 16);  // every value three times
  for (int i = 0; i < 256 * 3; ++i) all.pixels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i / 3);
  const std::uint8_t* pointer = all.pixels.get();
  for (const char* name : {"cpu:augment", "reference"}) {
    const std::vector<float> values = floats(rescale(name, {{&pointer, 1}, {}}, 16, 16, DType::kF32));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float product = static_cast<float>(i / 3) * kScale;
      ASSERT_EQ(values[i], product + kOffset) << name;
    }
    const std::vector<std::byte> narrow = rescale(name, {{&pointer, 1}, {}}, 16, 16, DType::kBf16);
    for (std::size_t i = 0; i < values.size(); ++i) {
      Bf16 value;
      std::memcpy(&value, narrow.data() + 2 * i, 2);
      ASSERT_EQ(value.bits, Bf16(values[i]).bits) << name;
    }
  }
}

// The whole machinery of warping, run with a map that moves nothing, gives the bytes of the exact path: there are no
// two kinds of pixels.
TEST(Rescale, GivesTheSameBytesThroughTheWarpThatMovesNothing) {
  const Image image = picture(33, 150, 1);
  const std::uint8_t* pointer = image.pixels.get();
  ImageTransform still;
  still.is_identity = false;
  ImageTransform still_projective = still;
  still_projective.source_from_destination[0] = still_projective.source_from_destination[4] =
      still_projective.source_from_destination[8] = 2;
  for (const DType type : {DType::kF32, DType::kBf16}) {
    const auto plain = rescale("cpu:augment", {{&pointer, 1}, {}}, 33, 150, type);
    EXPECT_EQ(rescale("cpu:augment", {{&pointer, 1}, {&still, 1}}, 33, 150, type), plain);
    EXPECT_EQ(rescale("cpu:augment", {{&pointer, 1}, {&still_projective, 1}}, 33, 150, type), plain);
    EXPECT_EQ(rescale("reference", {{&pointer, 1}, {&still, 1}}, 33, 150, type), plain);
  }
}

/// In levels of 0..255: how far the fast path may be from the double reference. Coordinates are fp32 (a few ulp of H or
/// W pixels, times the steepest slope, 255 a pixel); a blurred source is rounded to whole levels.
double bound(const ImageTransform& transform, int side) {
  const double coordinate = 16 * side * 0x1p-24 * 255;
  return (coordinate + 255 * 0x1p-20 + (transform.blur_sigma > 0 ? 0.501 : 0)) *
             std::abs(static_cast<double>(transform.contrast)) +
         1e-3;
}

void expect_close_to_double(const ImageTransform& transform, int height, int width, std::uint32_t seed) {
  const Image image = picture(height, width, seed);
  const std::uint8_t* pointer = image.pixels.get();
  for (const char* name : {"cpu:augment", "reference"}) {
    const std::vector<float> actual =
        floats(rescale(name, {{&pointer, 1}, {&transform, 1}}, height, width, DType::kF32));
    const float* value = actual.data();
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c, ++value) {
          const double expected =
              reference::viewed_pixel<double>(image.pixels.get(), height, width, transform, y, x, c);
          const double pixel =
              (static_cast<double>(*value) - static_cast<double>(kOffset)) / static_cast<double>(kScale);
          ASSERT_NEAR(pixel, expected, bound(transform, std::max(height, width)))
              << name << ", seed " << seed << " at " << y << ", " << x;
        }
      }
    }
  }
}

TEST(Rescale, IsCloseToADoubleReferenceForEveryKindOfView) {
  const AugmentOptions kinds[] = {{.rotation_degrees = 20},
                                  {.scale = 0.3f, .shift = 0.2f},
                                  {.perspective = 0.15f},
                                  {.brightness = 0.4f, .contrast = 0.6f},
                                  {.blur_probability = 1, .blur_sigma = 2.5f},
                                  {.erase_probability = 1, .erase_area = 0.3f},
                                  {.rotation_degrees = 15,
                                   .scale = 0.15f,
                                   .shift = 0.06f,
                                   .perspective = 0.05f,
                                   .brightness = 0.2f,
                                   .contrast = 0.2f,
                                   .blur_probability = 0.5f,
                                   .erase_probability = 0.5f}};
  const ImageSize sizes[] = {{1, 1}, {1, 7}, {24, 31}, {9, 129}};  // 129: one more than the fast path takes at a time
  std::uint32_t seed = 0;
  for (const AugmentOptions& options : kinds) {
    for (const ImageSize size : sizes) {
      ++seed;
      expect_close_to_double(draw_transform(options, 1, 0, seed, size.height, size.width), size.height, size.width,
                             seed);
    }
  }
}

// What a quarter turn, a shift by whole pixels and a horizon do is known without arithmetic.
TEST(Rescale, TurnsShiftsAndRepeatsEdges) {
  const Image image = picture(5, 5, 2);
  const std::uint8_t* pointer = image.pixels.get();
  const auto pixel = [&](int y, int x) {
    return static_cast<float>(image.pixels[static_cast<std::size_t>((y * 5 + x) * 3)]) * kScale + kOffset;
  };
  const auto view = [&](const std::array<float, 9>& map) {
    ImageTransform transform;
    transform.is_identity = false;
    transform.source_from_destination = map;
    return floats(rescale("cpu:augment", {{&pointer, 1}, {&transform, 1}}, 5, 5, DType::kF32));
  };
  const std::vector<float> turned = view({0, -1, 4, 1, 0, 0, 0, 0, 1});
  const std::vector<float> shifted = view({1, 0, -2, 0, 1, 3, 0, 0, 1});
  const std::vector<float> beyond = view({1, 0, 0, 0, 1, 0, 1, 0, -2});  // w is 0 at x = 2 and negative before it
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 5; ++x) {
      const auto at = static_cast<std::size_t>((y * 5 + x) * 3);
      EXPECT_EQ(turned[at], pixel(x, 4 - y));
      EXPECT_EQ(shifted[at], pixel(std::min(y + 3, 4), std::max(x - 2, 0)));
      EXPECT_TRUE(std::isfinite(beyond[at]));
    }
  }
}

TEST(Rescale, ErasesARectangleThatReachesBeyondThePicture) {
  const Image image = picture(6, 6, 3);
  const std::uint8_t* pointer = image.pixels.get();
  ImageTransform transform;
  transform.is_identity = false;
  transform.erase = {.x = -2, .y = 4, .width = 5, .height = 100};
  transform.erase_colour = {0, 128, 255};
  const std::vector<float> values = floats(rescale("cpu:augment", {{&pointer, 1}, {&transform, 1}}, 6, 6, DType::kF32));
  for (int i = 0; i < 36 * 3; ++i) {
    const int x = i / 3 % 6, y = i / 18;
    const std::uint8_t expected =
        x < 3 && y >= 4 ? transform.erase_colour[static_cast<std::size_t>(i % 3)] : pointer[i];
    EXPECT_EQ(values[static_cast<std::size_t>(i)], static_cast<float>(expected) * kScale + kOffset);
  }
}

TEST(Rescale, GivesTheSameBytesWithAnyNumberOfThreads) {
  const AugmentOptions options{
      .rotation_degrees = 15, .perspective = 0.05f, .blur_probability = 0.5f, .erase_probability = 0.5f};
  std::vector<Image> images;
  std::vector<const std::uint8_t*> pointers;
  std::vector<ImageTransform> transforms;
  for (std::uint32_t i = 0; i < 7; ++i) {
    images.push_back(picture(20, 20, i));
    pointers.push_back(images.back().pixels.get());
    transforms.push_back(draw_transform(options, 1, 0, i, 20, 20));
  }
  const int before = threads();
  set_threads(1);
  const auto expected = rescale("cpu:augment", {pointers, transforms}, 20, 20, DType::kF32);
  for (const int count : {2, 3, 8}) {
    set_threads(count);
    EXPECT_EQ(rescale("cpu:augment", {pointers, transforms}, 20, 20, DType::kF32), expected) << count;
  }
  set_threads(before);
}

// QUALITY target 9. A thousand files of all sizes through the ways that train (a shuffled loader whose augmentation
// leaves this picture alone), eval (a loader in order, another batch size) and predict (file by file) take.
TEST(Preprocessing, IsBitEqualInTrainEvalAndPredictForAThousandPictures) {
  constexpr int kCount = 1000, kSide = 24;
  const TemporaryFolder folder;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const Image image = picture(16 + static_cast<int>(i * 7 % 41), 16 + static_cast<int>(i * 5 % 37), i);
    testing_support::Bytes file = testing_support::jpeg(image, {.quality = 60 + static_cast<int>(i % 40)});
    if (i % 5 == 0) {
      file = testing_support::with_segment(file, 0xE1,
                                           testing_support::exif(i % 8 + 1, testing_support::ByteOrder::kIntel));
    }
    testing_support::write(folder.path() / (i % 2 == 0 ? "even" : "odd") / (std::to_string(i) + ".jpg"), file);
  }
  const Dataset set = scan_dataset({.root = folder.path(), .holdout = 0});
  const Pictures pictures = decode_pictures(set.train, kSide, kSide, 0, set.classes);
  ASSERT_EQ(pictures.size(), kCount);

  constexpr std::size_t kBytes = kSide * kSide * 3 * sizeof(float);
  std::vector<std::vector<std::byte>> in_train(kCount), in_eval(kCount);
  const auto collect = [&](Loader loader, std::vector<std::vector<std::byte>>& result, bool with_transforms) {
    for (std::int64_t i = 0; i < loader.batches(); ++i) {
      const Batch& batch = loader.batch(0, i);
      const std::vector<ImageTransform> still(with_transforms ? batch.images.images.size() : 0);
      const auto bytes = rescale("cpu:augment", {batch.images.images, still}, kSide, kSide, DType::kF32);
      for (std::size_t row = 0; row < static_cast<std::size_t>(batch.rows); ++row) {
        const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(row * kBytes);
        result[static_cast<std::size_t>(batch.indices[row])].assign(at, at + kBytes);
      }
    }
  };
  collect(Loader(pictures, {.batch = 32, .seed = 1, .shuffle = true}), in_train, true);
  collect(Loader(pictures, {.batch = 7}), in_eval, false);
  for (std::size_t i = 0; i < kCount; ++i) {
    std::vector<std::uint8_t> pixels(kSide * kSide * 3);
    read_picture(pictures.sample(static_cast<std::int64_t>(i)).path, kSide, kSide, pixels.data());
    const std::uint8_t* pointer = pixels.data();
    const auto in_predict = rescale("cpu:augment", {{&pointer, 1}, {}}, kSide, kSide, DType::kF32);
    ASSERT_EQ(in_train[i], in_predict) << i;
    ASSERT_EQ(in_eval[i], in_predict) << i;
  }
}

}  // namespace
}  // namespace cudacards
