// Pictures on the device are the pictures of the CPU: the same bytes where nothing is blurred, and where something is,
// to one level of 0..255 on a GPU. The CPU's are held to a reference in double by tests/data/rescale_test.cpp.

#include "kernels/augment/augment.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/data/augment.h"
#include "host/ops/augment_pixels.h"
#include "kernels/augment/rescale.h"
#include "tests/kernels/support/device.h"
#include "tests/support/pictures.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr Normalisation kNormalisation = {.scale = 1.0f / 127.5f, .offset = -1.0f};
constexpr DType kTypes[] = {DType::kF32, DType::kBf16};

/// A data set in host memory.
struct DataSet {
  int count, h, w;
  std::vector<std::uint8_t> pictures;
  DataSet(int count_, int h_, int w_) : count(count_), h(h_), w(w_) {
    for (int i = 0; i < count; ++i) {
      const Image image = testing_support::picture(h, w, static_cast<std::uint32_t>(i + 1));
      pictures.insert(pictures.end(), image.pixels.get(), image.pixels.get() + values());
    }
  }
  std::ptrdiff_t values() const { return std::ptrdiff_t{h} * w * kPictureChannels; }
  PictureBatchProblem problem(std::size_t n) const {
    return {.n = static_cast<int>(n), .h = h, .w = w, .normalisation = kNormalisation};
  }
};

struct View {
  std::int32_t index;
  ImageTransform transform;
};

template <class T>
void see_on_the_cpu(const DataSet& set, const View& view, std::vector<float>& into) {
  std::vector<std::byte> scratch(augment_scratch_bytes(set.h, set.w));
  std::vector<T> dst(static_cast<std::size_t>(set.values()));
  augment_picture(set.pictures.data() + view.index * set.values(), set.h, set.w, view.transform, kNormalisation,
                  scratch.data(), dst.data());
  for (const T value : dst) into.push_back(static_cast<float>(value));
}

std::vector<float> on_the_cpu(const DataSet& set, const std::vector<View>& views, DType type) {
  std::vector<float> all;
  for (const View& view : views) {
    if (type == DType::kF32) see_on_the_cpu<float>(set, view, all);
    if (type == DType::kBf16) see_on_the_cpu<Bf16>(set, view, all);
  }
  return all;
}

std::vector<float> floats_of(const Bytes& bytes, DType type) {
  std::vector<float> values(bytes.size() / size_of(type));
  if (type == DType::kF32) std::memcpy(values.data(), bytes.data(), bytes.size());
  for (std::size_t i = 0; type == DType::kBf16 && i < values.size(); ++i) {
    Bf16 value;
    std::memcpy(&value, bytes.data() + 2 * i, 2);
    values[i] = static_cast<float>(value);
  }
  return values;
}

enum class Scratch : bool { kNone, kGiven };

std::vector<float> on_the_device(const DataSet& set, const std::vector<View>& views, DType type,
                                 Scratch scratch = Scratch::kGiven) {
  std::vector<std::int32_t> indices;
  std::vector<ImageTransform> transforms;
  for (const View& view : views) {
    indices.push_back(view.index);
    transforms.push_back(view.transform);
  }
  const PictureBatchProblem problem = set.problem(views.size());
  const Bytes bytes = in_every_order([&] {
    DeviceArray<std::uint8_t> pictures(set.pictures, "pictures");
    DeviceArray<std::uint8_t> blurred(static_cast<std::size_t>(problem.blurred_bytes()), "blurred");
    DeviceArray<std::int32_t> device_indices(indices, "indices");
    DeviceArray<ImageTransform> device_transforms(transforms, "transforms");
    DeviceArray<std::byte> dst(static_cast<std::size_t>(problem.dst_elements()) * size_of(type), "dst");
    CUDACARDS_EXPECT_RUNS(augment(problem, type,
                                  {.pictures = pictures.data(),
                                   .indices = device_indices.data(),
                                   .transforms = device_transforms.data(),
                                   .blurred = scratch == Scratch::kGiven ? blurred.data() : nullptr,
                                   .dst = dst.data()},
                                  nullptr));
    return bytes_of(dst);
  });
  return floats_of(bytes, type);
}

/// How far a GPU may be from the CPU: nothing; where blurred, one level of the source, lit and normalised, and the
/// rounding of the arithmetic behind it.
double bound(const ImageTransform& transform, DType type) {
  if (is_emulated() || transform.is_identity || !(transform.blur_sigma > 0)) return 0;
  const double level = std::abs(static_cast<double>(transform.contrast * kNormalisation.scale));
  return 1.001 * level + (type == DType::kBf16 ? 0x1p-7 : 1e-5);
}

void expect_the_cpus_pictures(const DataSet& set, const std::vector<View>& views) {
  for (const DType type : kTypes) {
    const std::vector<float> expected = on_the_cpu(set, views, type), actual = on_the_device(set, views, type);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const auto n = static_cast<std::ptrdiff_t>(i) / set.values(), at = static_cast<std::ptrdiff_t>(i) % set.values();
      const double difference = std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
      ASSERT_LE(difference, bound(views[static_cast<std::size_t>(n)].transform, type))
          << "picture " << n << " of " << set.h << " x " << set.w << ", y " << at / (3 * set.w) << ", x "
          << at / 3 % set.w << ", channel " << at % 3 << ", " << name_of(type) << ": " << actual[i] << " instead of "
          << expected[i];
    }
  }
}

ImageTransform moved(const std::array<float, 9>& map) {
  ImageTransform transform;
  transform.is_identity = false;
  transform.source_from_destination = map;
  return transform;
}

ImageTransform blurred(float sigma) {
  ImageTransform transform;
  transform.is_identity = false;
  transform.blur_sigma = sigma;
  return transform;
}

// 16 x 64 and 32 x 32: pieces of 1024 pixels to the pixel; 31 x 33: one less; 25 x 41: one more. Odd numbers of values
// go one by one, the others by fours.
constexpr struct {
  int h, w;
} kSizes[] = {{1, 1}, {1, 2}, {2, 2}, {1, 7}, {16, 64}, {32, 32}, {31, 33}, {25, 41}, {24, 44}, {37, 61}};

class Rescale : public KernelTest {};

TEST_F(Rescale, GathersTheCpusPictures) {
  for (const auto [h, w] : kSizes) {
    const DataSet set(4, h, w);
    const std::vector<std::int32_t> shuffled = {3, 0, 3, 1, 2}, in_order = {0, 1, 2};
    for (const auto& indices : {shuffled, in_order}) {
      std::vector<View> views;
      for (const std::int32_t index : indices) views.push_back({index, {}});
      const PictureBatchProblem problem = set.problem(views.size());
      for (const DType type : kTypes) {
        const Bytes bytes = in_every_order([&] {
          DeviceArray<std::uint8_t> pictures(set.pictures, "pictures");
          DeviceArray<std::int32_t> device_indices(indices, "indices");
          DeviceArray<std::byte> dst(static_cast<std::size_t>(problem.dst_elements()) * size_of(type), "dst");
          CUDACARDS_EXPECT_RUNS(rescale(problem, type,
                                        {.pictures = pictures.data(),
                                         .indices = indices == in_order ? nullptr : device_indices.data(),
                                         .dst = dst.data()},
                                        nullptr));
          return bytes_of(dst);
        });
        EXPECT_EQ(floats_of(bytes, type), on_the_cpu(set, views, type)) << h << " x " << w << ", " << name_of(type);
      }
    }
  }
}

class Augment : public KernelTest {};

// A batch of every kind of view: as it is, turned, bent, lit, blurred, erased, all of it, and one picture twice.
TEST_F(Augment, GivesTheCpusPictures) {
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
                                   .blur_probability = 1,
                                   .erase_probability = 1}};
  for (const auto [h, w] : kSizes) {
    const DataSet set(3, h, w);
    std::vector<View> views = {{2, {}}};
    for (const AugmentOptions& options : kinds) {
      const auto i = views.size();
      views.push_back({static_cast<std::int32_t>(i % 3), draw_transform(options, 7, 0, i, h, w)});
    }
    expect_the_cpus_pictures(set, views);
  }
}

// The machinery of warping with a map that moves nothing gives the bytes of the exact path.
TEST_F(Augment, IsExactWhereNothingMoves) {
  const DataSet set(1, 24, 44);
  const View as_it_is{0, {}}, still{0, moved({1, 0, 0, 0, 1, 0, 0, 0, 1})},
      twice{0, moved({2, 0, 0, 0, 2, 0, 0, 0, 2})};
  for (const DType type : kTypes) {
    const std::vector<float> exact = on_the_cpu(set, {as_it_is}, type);
    EXPECT_EQ(on_the_device(set, {as_it_is}, type), exact);
    EXPECT_EQ(on_the_device(set, {still}, type), exact);
    EXPECT_EQ(on_the_device(set, {twice}, type), exact);
  }
}

// Points beyond each edge and on the horizon; a rectangle over two edges; light beyond black and white.
TEST_F(Augment, HoldsAtTheEdges) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const DataSet set(2, 21, 20);
  std::vector<View> views = {{0, moved({1, 0, -30, 0, 1, 0, 0, 0, 1})},     {1, moved({1, 0, 30, 0, 1, 0, 0, 0, 1})},
                             {0, moved({1, 0, 0, 0, 1, -30, 0, 0, 1})},     {1, moved({1, 0, 0, 0, 1, 30, 0, 0, 1})},
                             {0, moved({1, 0, 0, 0, 1, 0, 1, 0, -2})},      {1, moved({1, 0, 0, 0, 1, 0, 0, 1, -3})},
                             {0, moved({0, -1, 19, 1, 0, 0, 0, 0, 1})},     {1, moved({kNan, 0, 0, 0, 1, 0, 0, 0, 1})},
                             {1, moved({0.5f, 0, 0.25f, 0, 2, 1, 0, 0, 1})}};
  ImageTransform erased = moved({1, 0, 0, 0, 1, 0, 0, 0, 1});
  erased.erase = {.x = -2, .y = 15, .width = 9, .height = 100};
  erased.erase_colour = {0, 128, 255};
  views.push_back({0, erased});
  erased.erase = {.x = 15, .y = -3, .width = 100, .height = 9};
  views.push_back({1, erased});
  for (const float brightness : {-200.0f, 200.0f}) {
    ImageTransform bright = moved({1, 0, 0.5f, 0, 1, 0.5f, 0, 0, 1});
    bright.brightness = brightness;
    bright.contrast = 1.5f;
    views.push_back({0, bright});
  }
  expect_the_cpus_pictures(set, views);
}

// Radii from 1 to the largest, 30 (sigma 10 and more); tiles of 64 x 16 to the pixel, one more, several; halos that
// leave the picture on both sides; rows by fours and one by one; more tiles down than across.
TEST_F(Augment, BlursAsTheCpuDoes) {
  constexpr std::pair<int, int> kTiles[] = {{1, 1}, {3, 5}, {16, 64}, {17, 65}, {40, 132}, {70, 9}};
  for (const auto& [h, w] : kTiles) {
    const DataSet set(2, h, w);
    std::vector<View> views = {{1, {}}};
    for (const float sigma : {0.2f, 1.0f, 2.1f, 12.0f})
      views.push_back({static_cast<int>(views.size() % 2), blurred(sigma)});
    expect_the_cpus_pictures(set, views);
  }
}

TEST_F(Augment, DoesNotBlurWithoutScratch) {
  const DataSet set(1, 6, 8);
  EXPECT_EQ(on_the_device(set, {{0, blurred(2)}}, DType::kF32, Scratch::kNone),
            on_the_cpu(set, {{0, {}}}, DType::kF32));
  // A transform that is the identity is one, whatever else it says.
  ImageTransform sure = blurred(2);
  sure.is_identity = true;
  EXPECT_EQ(on_the_device(set, {{0, sure}}, DType::kF32), on_the_cpu(set, {{0, {}}}, DType::kF32));
}

TEST(AugmentSupports, SaysNoWithTheReason) {
  const PictureBatchProblem good{.n = 2, .h = 3, .w = 4};
  EXPECT_TRUE(rescale_supports(good, DType::kF32));
  EXPECT_TRUE(augment_supports(good, DType::kBf16));
  EXPECT_THAT(augment_supports(good, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(augment_supports({.n = 1, .h = 0, .w = 4}, DType::kF32).reason(), HasSubstr("height"));
  EXPECT_THAT(augment_supports({.n = 1, .h = 4, .w = 0}, DType::kF32).reason(), HasSubstr("width"));
  EXPECT_THAT(augment_supports({.n = -1, .h = 4, .w = 4}, DType::kF32).reason(), HasSubstr("height"));
  EXPECT_TRUE(augment_supports({.n = 65535, .h = 1, .w = 1}, DType::kF32));
  EXPECT_THAT(augment_supports({.n = 65536, .h = 1, .w = 1}, DType::kF32).reason(), HasSubstr("65535"));
  EXPECT_TRUE(augment_supports({.n = 1, .h = 1 << 15, .w = 1 << 14}, DType::kF32));
  EXPECT_THAT(augment_supports({.n = 1, .h = (1 << 15) + 1, .w = 1 << 14}, DType::kF32).reason(), HasSubstr("2^29"));
  EXPECT_EQ(good.bytes(DType::kBf16), 72 * 3);
}

TEST(AugmentLauncher, RefusesWhatIsMissingOrUnaligned) {
  alignas(16) std::uint8_t memory[64] = {};
  const ImageTransform transform;
  const PictureBatchProblem one{.n = 1, .h = 1, .w = 1};
  const RescaleArgs whole{.pictures = memory, .dst = memory + 16};
  const AugmentArgs all{.pictures = memory, .transforms = &transform, .dst = memory + 16};
  const auto rescale_reason = [&](auto&& change) {
    RescaleArgs args = whole;
    change(args);
    return rescale(one, DType::kF32, args, nullptr).reason();
  };
  const auto augment_reason = [&](auto&& change) {
    AugmentArgs args = all;
    change(args);
    return augment(one, DType::kF32, args, nullptr).reason();
  };
  EXPECT_THAT(rescale_reason([](auto& a) { a.pictures = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(rescale_reason([](auto& a) { a.dst = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(rescale_reason([&](auto& a) { a.pictures = memory + 4; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(rescale_reason([&](auto& a) { a.dst = memory + 4; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(augment_reason([](auto& a) { a.pictures = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(augment_reason([](auto& a) { a.transforms = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(augment_reason([](auto& a) { a.dst = nullptr; }), HasSubstr("must be given"));
  EXPECT_THAT(augment_reason([&](auto& a) { a.pictures = memory + 4; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(augment_reason([&](auto& a) { a.blurred = memory + 4; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(augment_reason([&](auto& a) { a.dst = memory + 4; }), HasSubstr("16-byte aligned"));
  EXPECT_THAT(rescale(one, DType::kU8, whole, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(augment(one, DType::kU8, all, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_TRUE(rescale({.n = 0, .h = 1, .w = 1}, DType::kF32, {}, nullptr));
  EXPECT_TRUE(augment({.n = 0, .h = 1, .w = 1}, DType::kF32, {}, nullptr));
}

class AugmentTraffic : public KernelTest {};

TEST_F(AugmentTraffic, IsWhatTheBytesNeed) {
  const DataSet set(2, 64, 64);
  expect_traffic("rescale_kernel", {}, [&] {
    for (const DType type : kTypes) {
      DeviceArray<std::uint8_t> pictures(set.pictures, "pictures");
      DeviceArray<std::byte> dst(static_cast<std::size_t>(2 * set.values()) * size_of(type), "dst");
      CUDACARDS_EXPECT_RUNS(rescale(set.problem(2), type, {.pictures = pictures.data(), .dst = dst.data()}, nullptr));
    }
  });
  expect_traffic("augment_kernel", {}, [&] { on_the_device(set, {{0, {}}, {1, {}}}, DType::kBf16); });
  // Each load of a turned row: words from the six rows that 32 neighbours at 10 degrees cross, about seven sectors
  // where their bytes would fit three. The other loads of the pixel find them in the first cache.
  const ImageTransform turned = draw_transform({.rotation_degrees = 10, .scale = 0.1f}, 1, 0, 1, 64, 64);
  expect_traffic("augment_kernel", {.global_load = 2.6}, [&] { on_the_device(set, {{0, turned}}, DType::kF32); });
  // The halo begins anywhere: 128 bytes of a row touch five sectors instead of four, and its end is ragged.
  const DataSet wide(1, 16, 192);
  expect_traffic("blur_kernel", {.global_load = 1.4}, [&] { on_the_device(wide, {{0, blurred(1)}}, DType::kF32); });
}

}  // namespace
}  // namespace cudacards::testing
