// Casts round as the CPU does, fills fill; neither touches a byte more.

#include "kernels/cast/cast.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "kernels/base/philox.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

// A block of a cast takes 4096 elements, of a fill 4096 (fp32) or 8192 (bf16).
const std::int64_t kSizes[] = {1, 3, 4, 5, 7, 8, 9, 1023, 4095, 4096, 4097, 8191, 8192, 8193, 12299};

/// Every kind of rounding: ties to both sides, the largest that stays finite, subnormals, infinities, zeros.
std::vector<float> numbers(std::int64_t count) {
  const float special[] = {0.0f,
                           -0.0f,
                           1.0f + 0x1p-8f,
                           1.0f + 0x3p-8f,
                           -1.0f - 0x1p-8f,
                           0x1.fep127f,
                           0x1.ffp127f,
                           std::numeric_limits<float>::max(),
                           std::numeric_limits<float>::infinity(),
                           0x1p-140f};
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i % 3 == 0 ? special[i / 3 % std::size(special)]
                           : uniform01(philox4x32_10(1, 2, static_cast<std::uint32_t>(i), 0, 0, 0).v[0]) - 0.5f;
  }
  return values;
}

std::vector<std::uint16_t> narrow(const std::vector<float>& values) {
  std::vector<std::uint16_t> bits(values.size());
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = Bf16(values[i]).bits;
  return bits;
}

template <class T>
Bytes bytes_of_vector(const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const std::byte*>(values.data());
  return {begin, begin + values.size() * sizeof(T)};
}

template <class From, class To>
Bytes cast_on_device(const std::vector<From>& src, DType from, DType to) {
  return in_every_order([&] {
    DeviceArray<From> device_src(src, "src");
    DeviceArray<To> dst(src.size(), "dst");
    CUDACARDS_EXPECT_RUNS(cast({.elements = static_cast<std::int64_t>(src.size()), .from = from, .to = to},
                               {.src = device_src.data(), .dst = dst.data()}, nullptr));
    return bytes_of(dst);
  });
}

class Cast : public KernelTest {};

TEST_F(Cast, RoundsAsTheCpuDoes) {
  for (const std::int64_t size : kSizes) {
    const std::vector<float> values = numbers(size);
    EXPECT_TRUE((cast_on_device<float, std::uint16_t>(values, DType::kF32, DType::kBf16)) ==
                bytes_of_vector(narrow(values)))
        << size;
  }
}

TEST_F(Cast, WidensExactly) {
  for (const std::int64_t size : kSizes) {
    const std::vector<std::uint16_t> bits = narrow(numbers(size));
    std::vector<float> expected(bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i) {
      Bf16 value;
      value.bits = bits[i];
      expected[i] = static_cast<float>(value);
    }
    EXPECT_TRUE((cast_on_device<std::uint16_t, float>(bits, DType::kBf16, DType::kF32)) == bytes_of_vector(expected))
        << size;
  }
}

TEST_F(Cast, KeepsNan) {
  std::vector<float> values(5, 1.0f);
  values[1] = std::numeric_limits<float>::quiet_NaN();
  values[4] = -values[1];
  DeviceArray<float> src(values, "src");
  DeviceArray<std::uint16_t> dst(values.size(), "dst");
  CUDACARDS_ASSERT_RUNS(cast({.elements = 5}, {.src = src.data(), .dst = dst.data()}, nullptr));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Bf16 value;
    value.bits = dst.read()[i];
    EXPECT_EQ(std::isnan(static_cast<float>(value)), i == 1 || i == 4);
  }
}

template <class T>
Bytes filled(std::int64_t size, float value, DType type) {
  return in_every_order([&] {
    DeviceArray<T> dst(static_cast<std::size_t>(size), "dst");
    CUDACARDS_EXPECT_RUNS(fill({.elements = size, .value = value}, type, dst.data(), nullptr));
    return bytes_of(dst);
  });
}

class Fill : public KernelTest {};

TEST_F(Fill, FillsEveryElement) {
  for (const std::int64_t size : kSizes) {
    for (const float value : {0.0f, -1.003f}) {
      const std::vector<float> expected(static_cast<std::size_t>(size), value);
      EXPECT_TRUE(filled<float>(size, value, DType::kF32) == bytes_of_vector(expected)) << size;
      EXPECT_TRUE(filled<std::uint16_t>(size, value, DType::kBf16) == bytes_of_vector(narrow(expected))) << size;
    }
  }
}

TEST(CastSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(cast_supports({.elements = 1}));
  EXPECT_THAT(cast_supports({.elements = 1, .to = DType::kF32}).reason(), HasSubstr("fp32 to fp32"));
  EXPECT_THAT(cast_supports({.from = DType::kU8}).reason(), HasSubstr("uint8 to bf16"));
  EXPECT_THAT(cast_supports({.elements = -1}).reason(), HasSubstr("negative"));
  EXPECT_TRUE(cast_supports({.elements = std::int64_t{4096} * 0x7fffffff}));
  EXPECT_THAT(cast_supports({.elements = std::int64_t{4096} * 0x7fffffff + 1}).reason(), HasSubstr("blocks"));
  EXPECT_TRUE(fill_supports({.elements = 1}, DType::kBf16));
  EXPECT_THAT(fill_supports({.elements = 1}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(fill_supports({.elements = -1}, DType::kF32).reason(), HasSubstr("negative"));
}

TEST(CastLauncher, RefusesWhatIsMissingOrUnaligned) {
  alignas(16) float memory[8] = {};
  EXPECT_THAT(cast({.elements = 1}, {.dst = memory}, nullptr).reason(), HasSubstr("must be given"));
  EXPECT_THAT(cast({.elements = 1}, {.src = memory}, nullptr).reason(), HasSubstr("must be given"));
  EXPECT_THAT(cast({.elements = 1}, {.src = memory + 1, .dst = memory}, nullptr).reason(), HasSubstr("aligned"));
  EXPECT_THAT(cast({.elements = 1}, {.src = memory, .dst = memory + 1}, nullptr).reason(), HasSubstr("aligned"));
  EXPECT_THAT(cast({.elements = -1}, {}, nullptr).reason(), HasSubstr("negative"));
  EXPECT_TRUE(cast({.elements = 0}, {}, nullptr));
  EXPECT_THAT(fill({.elements = 1}, DType::kF32, nullptr, nullptr).reason(), HasSubstr("must be given"));
  EXPECT_THAT(fill({.elements = 1}, DType::kF32, memory + 1, nullptr).reason(), HasSubstr("aligned"));
  EXPECT_THAT(fill({.elements = 1}, DType::kU8, memory, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_TRUE(fill({.elements = 0}, DType::kF32, nullptr, nullptr));
}

class CastTraffic : public KernelTest {};

TEST_F(CastTraffic, IsWhatTheBytesNeed) {
  expect_traffic("cast_kernel", {}, [] {
    const std::vector<float> values = numbers(8192);
    cast_on_device<float, std::uint16_t>(values, DType::kF32, DType::kBf16);
    cast_on_device<std::uint16_t, float>(narrow(values), DType::kBf16, DType::kF32);
  });
  expect_traffic("fill_kernel", {}, [] {
    filled<float>(8192, 1, DType::kF32);
    filled<std::uint16_t>(8192, 1, DType::kBf16);
  });
}

// The thread of the last elements moves them as one vector too, where they are one.
TEST_F(CastTraffic, IsThatOfWholeVectorsToTheEnd) {
  expect_traffic("cast_kernel", {},
                 [] { cast_on_device<float, std::uint16_t>(numbers(8), DType::kF32, DType::kBf16); });
  expect_traffic("fill_kernel", {}, [] { filled<float>(8, 1, DType::kF32); });
}

}  // namespace
}  // namespace cudacards::testing
