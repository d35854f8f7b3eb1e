// Dropout draws the CPU's numbers: the same bytes on every machine.

#include "kernels/dropout/dropout.h"

#include <gmock/gmock.h>

#include <limits>

#include "kernels/base/philox.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

TEST(DropoutSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(dropout_supports({.elements = 5, .rate = 0.5f}, DType::kF32));
  EXPECT_TRUE(dropout_supports({.elements = 5, .rate = 0}, DType::kBf16));
  EXPECT_THAT(dropout_supports({.elements = 5, .rate = 0.5f}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(dropout_supports({.elements = 5, .rate = 1}, DType::kF32).reason(), HasSubstr("less than 1"));
  EXPECT_THAT(dropout_supports({.elements = 5, .rate = std::numeric_limits<float>::quiet_NaN()}, DType::kF32).reason(),
              HasSubstr("rate"));
  EXPECT_TRUE(dropout_supports({.elements = std::int64_t{1} << 34}, DType::kF32));
  EXPECT_THAT(dropout_supports({.elements = (std::int64_t{1} << 34) + 1}, DType::kF32).reason(), HasSubstr("32 bits"));
}

TEST(DropoutLauncher, RefusesUnalignedMemoryAndStartsNothingForNoElements) {
  alignas(16) float memory[8] = {};
  EXPECT_THAT(dropout({.elements = 4}, DType::kF32, {.src = memory + 1, .dst = memory}, nullptr).reason(),
              HasSubstr("16-byte aligned"));
  EXPECT_THAT(dropout({.elements = 4}, DType::kF32, {.src = memory, .dst = memory + 1}, nullptr).reason(),
              HasSubstr("16-byte aligned"));
  EXPECT_TRUE(dropout({.elements = 0}, DType::kF32, {}, nullptr));
}

constexpr StepClock kClock = {.seed = 0x123456789abcdefULL, .number = 77};
constexpr float kRate = 0.3f;

template <class T>
std::vector<T> numbers(std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = T(static_cast<float>(i % 1000) - 499.5f);
  return values;
}

template <class T>
constexpr DType kType = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

template <class T>
Bytes dropped_on_device(const std::vector<T>& src) {
  DeviceArray<T> device_src(src, "src"), device_dst(src.size(), "dst");
  DeviceArray<StepClock> clock(std::vector{kClock}, "clock");
  CUDACARDS_EXPECT_RUNS(dropout({.elements = static_cast<std::int64_t>(src.size()), .rate = kRate, .node = 9}, kType<T>,
                                {.src = device_src.data(), .dst = device_dst.data(), .clock = clock.data()}, nullptr));
  return bytes_of(device_dst);
}

template <class T>
void expect_the_cpus_bytes(std::int64_t elements) {
  const std::vector<T> src = numbers<T>(elements);
  std::vector<T> expected(src.size());
  for (std::size_t i = 0; i < src.size(); ++i) {
    const Random4 words =
        random4(kClock.seed, RandomPurpose::kDropout, kClock.number, 9, static_cast<std::uint32_t>(i / 4));
    const bool kept = uniform01(words.v[i % 4]) >= kRate;
    expected[i] = T(kept ? static_cast<float>(src[i]) * (1.0f / (1.0f - kRate)) : 0.0f);
  }
  const Bytes actual = in_every_order([&] { return dropped_on_device(src); });
  ASSERT_EQ(actual.size(), src.size() * sizeof(T));
  EXPECT_EQ(std::memcmp(actual.data(), expected.data(), actual.size()), 0);
}

class Dropout : public KernelTest, public ::testing::WithParamInterface<std::int64_t> {};

TEST_P(Dropout, GivesTheCpusBytes) {
  expect_the_cpus_bytes<float>(GetParam());
  expect_the_cpus_bytes<Bf16>(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Dropout, ::testing::Values(1, 3, 4, 5, 1023, 1024, 1025, 9001));

class DropoutTraffic : public KernelTest {};

TEST_F(DropoutTraffic, IsWhatTheBytesNeed) {
  expect_traffic("dropout_kernel", {}, [] {
    dropped_on_device(numbers<float>(4096));
    dropped_on_device(numbers<Bf16>(4096));
  });
}

}  // namespace
}  // namespace cudacards::testing
