// Activation, sum and fan-in of gradients: every element exactly, whatever is left over at the end.

#include "kernels/elementwise/elementwise.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "host/ops/reference/elementwise.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/sample_values.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr ElementwiseTuning kTwoBlocks = {.arch = {}, .most_blocks = 2};  // so that they go round
constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kRelu6};

template <class T>
Bytes forward_on_device(Activation activation, const std::vector<T>& src) {
  DeviceArray<T> device_src(src, "src"), dst(src.size(), "dst");
  CUDACARDS_EXPECT_RUNS(activation_forward({static_cast<std::int64_t>(src.size()), activation}, kTypeOf<T>,
                                           {.src = device_src.data(), .dst = dst.data()}, nullptr, kTwoBlocks));
  return bytes_of(dst);
}

template <class T>
Bytes backward_on_device(Activation activation, const std::vector<T>& dst, const std::vector<T>& diff_dst,
                         const std::vector<T>* before) {
  DeviceArray<T> device_dst(dst, "dst"), device_diff_dst(diff_dst, "diff_dst"), diff_src(dst.size(), "diff_src");
  if (before) diff_src.write(*before);
  CUDACARDS_EXPECT_RUNS(activation_backward({static_cast<std::int64_t>(dst.size()), activation}, kTypeOf<T>,
                                            {.dst = device_dst.data(),
                                             .diff_dst = device_diff_dst.data(),
                                             .diff_src = diff_src.data(),
                                             .diff_src_mode = before ? GradMode::kAccumulate : GradMode::kOverwrite},
                                            nullptr, kTwoBlocks));
  return bytes_of(diff_src);
}

template <class T>
Bytes sum_on_device(const std::vector<T>& a, const std::vector<T>& b) {
  DeviceArray<T> device_a(a, "a"), device_b(b, "b"), dst(a.size(), "dst");
  CUDACARDS_EXPECT_RUNS(add({static_cast<std::int64_t>(a.size())}, kTypeOf<T>,
                            {.a = device_a.data(), .b = device_b.data(), .dst = dst.data()}, nullptr, kTwoBlocks));
  return bytes_of(dst);
}

template <class T>
Bytes fan_in_on_device(const std::vector<T>& diff_dst, const std::vector<T>* before) {
  DeviceArray<T> device_diff_dst(diff_dst, "diff_dst"), diff_src(diff_dst.size(), "diff_src");
  if (before) diff_src.write(*before);
  CUDACARDS_EXPECT_RUNS(add_backward({static_cast<std::int64_t>(diff_dst.size())}, kTypeOf<T>,
                                     {.diff_dst = device_diff_dst.data(),
                                      .diff_src = diff_src.data(),
                                      .diff_src_mode = before ? GradMode::kAccumulate : GradMode::kOverwrite},
                                     nullptr, kTwoBlocks));
  return bytes_of(diff_src);
}

class Elementwise : public KernelTest, public ::testing::WithParamInterface<std::int64_t> {};

template <class T>
void expect_exact(std::int64_t count) {
  const std::vector<double> x = small_integers(count, 8, 1), y = small_integers(count, 9, 2);
  const std::vector<T> stored_x = stored_as<T>(x), stored_y = stored_as<T>(y);
  const auto expect = [&](const Bytes& actual, const std::vector<double>& expected) {
    EXPECT_TRUE(exact(as_floats(elements_of<T>(actual, count)), expected, kTypeOf<T>));
  };
  for (const Activation activation : kActivations) {
    std::vector<double> dst(x.size()), diff_src(x.size()), added = x;
    reference::activation_forward(activation, count, x.data(), dst.data());
    expect(in_every_order([&] { return forward_on_device(activation, stored_x); }), dst);
    // 0 and 6 are among dst: at the clamps the derivative is 0.
    reference::activation_backward(activation, count, dst.data(), y.data(), GradMode::kOverwrite, diff_src.data());
    reference::activation_backward(activation, count, dst.data(), y.data(), GradMode::kAccumulate, added.data());
    const std::vector<T> mask = stored_as<T>(dst);
    expect(in_every_order([&] { return backward_on_device<T>(activation, mask, stored_y, nullptr); }), diff_src);
    expect(backward_on_device<T>(activation, mask, stored_y, &stored_x), added);
  }
  std::vector<double> sum(x.size());
  reference::add_forward(count, x.data(), y.data(), sum.data());
  expect(in_every_order([&] { return sum_on_device(stored_x, stored_y); }), sum);
  expect(in_every_order([&] { return fan_in_on_device<T>(stored_y, nullptr); }), y);
  expect(in_every_order([&] { return fan_in_on_device<T>(stored_y, &stored_x); }), sum);
}

TEST_P(Elementwise, IsExact) {
  expect_exact<float>(GetParam());
  expect_exact<Bf16>(GetParam());
}

// A block takes 1024 elements at once in fp32, 2048 in bf16.
INSTANTIATE_TEST_SUITE_P(Sizes, Elementwise, ::testing::Values(1, 3, 4, 5, 7, 8, 9, 53, 1023, 1024, 2049, 4101));

class ElementwiseValues : public KernelTest {};

TEST_F(ElementwiseValues, ANanStaysANan) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const Activation activation : kActivations) {
    const std::vector<float> src = {1, kNan, -1, 7, kNan};  // one in the vector, one left over
    const auto dst = elements_of<float>(forward_on_device(activation, src), 5);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(std::isnan(dst[i]), i == 1 || i == 4) << name_of(activation);
  }
}

TEST_F(ElementwiseValues, MayBeTheSameMemory) {
  const std::vector<double> x = small_integers(100, 8, 1), y = small_integers(100, 8, 2);
  DeviceArray<float> a(stored_as<float>(x), "a"), b(stored_as<float>(y), "b");
  CUDACARDS_ASSERT_RUNS(add({100}, DType::kF32, {.a = a.data(), .b = a.data(), .dst = a.data()}, nullptr));
  CUDACARDS_ASSERT_RUNS(activation_forward({100, Activation::kRelu6}, DType::kF32, {a.data(), a.data()}, nullptr));
  CUDACARDS_ASSERT_RUNS(activation_backward({100, Activation::kRelu6}, DType::kF32,
                                            {.dst = a.data(), .diff_dst = b.data(), .diff_src = b.data()}, nullptr));
  std::vector<double> dst(100), diff_src(100);
  for (std::size_t i = 0; i < 100; ++i) {
    dst[i] = apply(Activation::kRelu6, 2 * x[i]);
    diff_src[i] = y[i] * derivative_from_result(Activation::kRelu6, dst[i]);
  }
  EXPECT_TRUE(exact(a.read(), dst, DType::kF32));
  EXPECT_TRUE(exact(b.read(), diff_src, DType::kF32));
}

TEST(ElementwiseLaunchers, RefuseWhatIsUnsupportedOrUnalignedAndIgnoreWhatNobodyWants) {
  constexpr DType kF32 = DType::kF32, kU8 = DType::kU8;
  alignas(16) float memory[8] = {};
  float* odd = memory + 1;
  const auto aligned = HasSubstr("16-byte aligned");
  EXPECT_TRUE(elementwise_supports(5, kF32));
  EXPECT_TRUE(elementwise_supports(5, DType::kBf16));
  EXPECT_THAT(elementwise_supports(-1, kF32).reason(), HasSubstr("less than 0"));
  EXPECT_THAT(activation_forward({4}, kF32, {odd, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(activation_forward({4}, kF32, {memory, odd}, nullptr).reason(), aligned);
  EXPECT_THAT(activation_backward({4}, kF32, {odd, memory, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(activation_backward({4}, kF32, {memory, odd, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(activation_backward({4}, kF32, {memory, memory, odd}, nullptr).reason(), aligned);
  EXPECT_THAT(add({4}, kF32, {odd, memory, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(add({4}, kF32, {memory, odd, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(add({4}, kF32, {memory, memory, odd}, nullptr).reason(), aligned);
  EXPECT_THAT(add_backward({4}, kF32, {odd, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(add_backward({4}, kF32, {memory, odd}, nullptr).reason(), aligned);
  EXPECT_THAT(activation_forward({4}, kU8, {}, nullptr).reason(), HasSubstr("activation: no"));
  EXPECT_THAT(activation_backward({4}, kU8, {}, nullptr).reason(), HasSubstr("activation backward: no"));
  EXPECT_THAT(add({4}, kU8, {}, nullptr).reason(), HasSubstr("add: no"));
  EXPECT_THAT(add_backward({4}, kU8, {}, nullptr).reason(), HasSubstr("add backward: no"));
  EXPECT_TRUE(activation_backward({4}, kF32, {.diff_src_mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(add_backward({4}, kF32, {.diff_src_mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(activation_forward({0}, kF32, {}, nullptr));
  EXPECT_TRUE(activation_backward({0}, kF32, {}, nullptr));
  EXPECT_TRUE(add({0}, kF32, {}, nullptr));
  EXPECT_TRUE(add_backward({0}, kF32, {}, nullptr));
}

class ElementwiseTraffic : public KernelTest {};

template <class T>
void run_all() {
  const auto x = stored_as<T>(small_integers(4096, 8, 1));
  forward_on_device(Activation::kRelu6, x);
  backward_on_device<T>(Activation::kRelu6, x, x, &x);
  sum_on_device(x, x);
  fan_in_on_device<T>(x, &x);
}

TEST_F(ElementwiseTraffic, IsWhatTheBytesNeed) {
  expect_traffic("elementwise_kernel", {}, [] {
    run_all<float>();
    run_all<Bf16>();
  });
}

}  // namespace
}  // namespace cudacards::testing
