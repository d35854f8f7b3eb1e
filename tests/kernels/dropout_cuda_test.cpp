// The CUDA dropout draws the CPU's numbers: exact where there is a GPU; what can be said without one is said
// everywhere.
#ifdef CUDACARDS_HAS_CUDA

#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "host/runtime/device.h"
#include "kernels/base/philox.h"
#include "kernels/dropout/dropout.h"

namespace cudacards {
namespace {

using testing::HasSubstr;

TEST(DropoutCudaSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(dropout_supports({.elements = 5, .rate = 0.5f}, DType::kF32));
  EXPECT_TRUE(dropout_supports({.elements = 5, .rate = 0}, DType::kBf16));
  EXPECT_THAT(dropout_supports({.elements = 5, .rate = 0.5f}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(dropout_supports({.elements = 5, .rate = 1}, DType::kF32).reason(), HasSubstr("less than 1"));
  EXPECT_THAT(dropout_supports({.elements = 5, .rate = std::numeric_limits<float>::quiet_NaN()}, DType::kF32).reason(),
              HasSubstr("rate"));
  EXPECT_TRUE(dropout_supports({.elements = std::int64_t{1} << 34}, DType::kF32));
  EXPECT_THAT(dropout_supports({.elements = (std::int64_t{1} << 34) + 1}, DType::kF32).reason(), HasSubstr("32 bits"));
}

TEST(DropoutCuda, RefusesUnalignedMemoryAndStartsNothingForNoElements) {
  alignas(16) float memory[8] = {};
  EXPECT_THAT(dropout({.elements = 4}, DType::kF32, {.src = memory + 1, .dst = memory}, nullptr).reason(),
              HasSubstr("16-byte aligned"));
  EXPECT_THAT(dropout({.elements = 4}, DType::kF32, {.src = memory, .dst = memory + 1}, nullptr).reason(),
              HasSubstr("16-byte aligned"));
  EXPECT_TRUE(dropout({.elements = 0}, DType::kF32, {}, nullptr));
}

TEST(DropoutCuda, ReportsALaunchThatCannotBe) {
  if (!list_gpus().devices.empty()) GTEST_SKIP() << "skipped: there is a GPU";
  alignas(16) float memory[4] = {};
  EXPECT_THAT(dropout({.elements = 4}, DType::kF32, {.src = memory, .dst = memory}, nullptr).reason(),
              HasSubstr("kernel launch"));
}

/// Device memory that holds a copy of `host`; read() brings it back.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& host) : count_(host.size()) {
    EXPECT_EQ(cudaMalloc(&data_, count_ * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, host.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  T* data() { return static_cast<T*>(data_); }
  std::vector<T> read() const {
    std::vector<T> host(count_);
    EXPECT_EQ(cudaMemcpy(host.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return host;
  }

 private:
  void* data_ = nullptr;
  std::size_t count_ = 0;
};

class DropoutCudaForward : public testing::TestWithParam<std::int64_t> {};

TEST_P(DropoutCudaForward, GivesTheCpusBytes) {
  if (list_gpus().devices.empty()) GTEST_SKIP() << "skipped: " << list_gpus().reason;
  const std::int64_t elements = GetParam();
  const StepClock clock = {.seed = 0x123456789abcdefULL, .number = 77};
  const float rate = 0.3f;
  std::vector<float> src(static_cast<std::size_t>(elements)), expected(src.size());
  for (std::size_t i = 0; i < src.size(); ++i) {
    src[i] = static_cast<float>(i % 1000) - 499.5f;
    const Random4 words =
        random4(clock.seed, RandomPurpose::kDropout, clock.number, 9, static_cast<std::uint32_t>(i / 4));
    expected[i] = uniform01(words.v[i % 4]) >= rate ? src[i] * (1.0f / (1.0f - rate)) : 0.0f;
  }
  OnDevice device_src(src), device_dst(src);
  OnDevice device_clock(std::vector{clock});
  const Status status =
      dropout({.elements = elements, .rate = rate, .node = 9}, DType::kF32,
              {.src = device_src.data(), .dst = device_dst.data(), .clock = device_clock.data()}, nullptr);
  ASSERT_TRUE(status) << status.reason();
  EXPECT_EQ(device_dst.read(), expected);
}

INSTANTIATE_TEST_SUITE_P(Sizes, DropoutCudaForward, testing::Values(1, 3, 4, 5, 1023, 1024, 1025, 100'352, 1 << 22));

}  // namespace
}  // namespace cudacards

#endif  // CUDACARDS_HAS_CUDA
