// Max and average pool against the reference in double: integers exactly, in every order of threads.

#include "kernels/pool/pool.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "host/ops/reference/pool.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/model_problems.h"
#include "tests/kernels/support/sample_values.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr PoolTuning kTwoBlocks = {.arch = {}, .most_blocks = 2};  // so that blocks go round

const Pool2dProblem kProblems[] = {
    {.n = 1, .h = 1, .w = 1, .c = 1, .window_h = 1, .window_w = 1, .stride_h = 1, .stride_w = 1},
    {.n = 2, .h = 7, .w = 5, .c = 3},   // ragged edges, one channel a thread
    {.n = 1, .h = 6, .w = 4, .c = 32},  // the CNN's channels
    {.n = 2, .h = 5, .w = 7, .c = 64},
    {.n = 1, .h = 4, .w = 6, .c = 53},
    {.n = 3, .h = 4, .w = 4, .c = 4},                                // 16 bytes in fp32 only
    {.n = 1, .h = 7, .w = 8, .c = 8, .window_h = 3, .window_w = 3},  // windows overlap
    {.n = 1, .h = 6, .w = 5, .c = 5, .window_h = 3, .window_w = 2, .stride_h = 1, .stride_w = 1},
    {.n = 2, .h = 9, .w = 8, .c = 8, .window_h = 2, .window_w = 3, .stride_h = 3, .stride_w = 4},      // gaps
    {.n = 1, .h = 16, .w = 16, .c = 1, .window_h = 16, .window_w = 16, .stride_h = 1, .stride_w = 1},  // winner 255
    {.n = 1, .h = 5, .w = 6, .c = 16, .window_h = 2, .window_w = 2, .stride_h = 1, .stride_w = 2},
    {.n = 2, .h = 18, .w = 17, .c = 24},  // more items than the two blocks of kTwoBlocks in all but bf16
    {.n = 1, .h = 25, .w = 26, .c = 7, .window_h = 3, .window_w = 1, .stride_h = 1, .stride_w = 1},
    // Winners that a byte does not hold, the last of them 256 and 339.
    {.n = 1, .h = 2, .w = 258, .c = 8, .window_h = 1, .window_w = 257, .stride_h = 1, .stride_w = 1},
    {.n = 2, .h = 19, .w = 20, .c = 3, .window_h = 17, .window_w = 20, .stride_h = 2, .stride_w = 1},
};

std::vector<double> average_backward(const Pool2dProblem& p, const std::vector<double>& diff_dst) {
  std::vector<double> diff_src(static_cast<std::size_t>(p.src_elements()));
  for (std::int64_t i = 0; i < p.dst_elements(); ++i) {
    const std::int64_t c = i % p.c, q = i / p.c % p.q(), row = i / p.c / p.q() % p.p(), n = i / p.c / p.q() / p.p();
    for (int place = 0; place < p.window_h * p.window_w; ++place) {
      const std::int64_t h = row * p.stride_h + place / p.window_w, w = q * p.stride_w + place % p.window_w;
      diff_src[static_cast<std::size_t>(((n * p.h + h) * p.w + w) * p.c + c)] += diff_dst[static_cast<std::size_t>(i)];
    }
  }
  for (double& x : diff_src) x /= p.window_h * p.window_w;
  return diff_src;
}

std::vector<double> average_forward(const Pool2dProblem& p, const std::vector<double>& src) {
  std::vector<double> dst(static_cast<std::size_t>(p.dst_elements()));
  for (std::int64_t i = 0; i < p.dst_elements(); ++i) {
    const std::int64_t c = i % p.c, q = i / p.c % p.q(), row = i / p.c / p.q() % p.p(), n = i / p.c / p.q() / p.p();
    double sum = 0;
    for (int place = 0; place < p.window_h * p.window_w; ++place) {
      const std::int64_t h = row * p.stride_h + place / p.window_w, w = q * p.stride_w + place % p.window_w;
      sum += src[static_cast<std::size_t>(((n * p.h + h) * p.w + w) * p.c + c)];
    }
    dst[static_cast<std::size_t>(i)] = sum / (p.window_h * p.window_w);
  }
  return dst;
}

template <class T>
Bytes max_forward_on_device(const Pool2dProblem& p, const std::vector<T>& src, const PoolTuning& tuning) {
  DeviceArray<T> device_src(src, "src"), dst(static_cast<std::size_t>(p.dst_elements()), "dst");
  DeviceArray<std::byte> argmax(static_cast<std::size_t>(p.argmax_bytes()), "argmax");
  CUDACARDS_EXPECT_RUNS(max_pool_forward(
      p, kTypeOf<T>, {.src = device_src.data(), .dst = dst.data(), .argmax = argmax.data()}, nullptr, tuning));
  return bytes_of(dst, argmax);
}

/// Behind `offset` bytes of dst.
std::vector<std::int32_t> winners_in(const Bytes& forward, const Pool2dProblem& p, std::size_t offset) {
  if (p.winner_bytes() == 4) return elements_of<std::int32_t>(forward, p.dst_elements(), offset);
  const auto bytes = elements_of<std::uint8_t>(forward, p.dst_elements(), offset);
  return {bytes.begin(), bytes.end()};
}

template <class T>
Bytes max_backward_on_device(const Pool2dProblem& p, const std::vector<T>& diff_dst, const Bytes& argmax,
                             const std::vector<T>* before) {
  DeviceArray<T> device_diff_dst(diff_dst, "diff_dst"),
      diff_src(static_cast<std::size_t>(p.src_elements()), "diff_src");
  DeviceArray<std::byte> device_argmax(argmax, "argmax");
  if (before) diff_src.write(*before);
  const GradMode mode = before ? GradMode::kAccumulate : GradMode::kOverwrite;
  CUDACARDS_EXPECT_RUNS(max_pool_backward(p, kTypeOf<T>,
                                          {.diff_dst = device_diff_dst.data(),
                                           .argmax = device_argmax.data(),
                                           .diff_src = diff_src.data(),
                                           .diff_src_mode = mode},
                                          nullptr, kTwoBlocks));
  return bytes_of(diff_src);
}

template <class T>
Bytes average_forward_on_device(const Pool2dProblem& p, const std::vector<T>& src) {
  DeviceArray<T> device_src(src, "src"), dst(static_cast<std::size_t>(p.dst_elements()), "dst");
  CUDACARDS_EXPECT_RUNS(
      average_pool_forward(p, kTypeOf<T>, {.src = device_src.data(), .dst = dst.data()}, nullptr, kTwoBlocks));
  return bytes_of(dst);
}

template <class T>
Bytes average_backward_on_device(const Pool2dProblem& p, const std::vector<T>& diff_dst, const std::vector<T>* before) {
  DeviceArray<T> device_diff_dst(diff_dst, "diff_dst"),
      diff_src(static_cast<std::size_t>(p.src_elements()), "diff_src");
  if (before) diff_src.write(*before);
  const GradMode mode = before ? GradMode::kAccumulate : GradMode::kOverwrite;
  CUDACARDS_EXPECT_RUNS(average_pool_backward(
      p, kTypeOf<T>, {.diff_dst = device_diff_dst.data(), .diff_src = diff_src.data(), .diff_src_mode = mode}, nullptr,
      kTwoBlocks));
  return bytes_of(diff_src);
}

class Pool : public KernelTest, public ::testing::WithParamInterface<Pool2dProblem> {};

template <class T>
void expect_max_pool(const Pool2dProblem& p) {
  const std::vector<double> src = small_integers(p.src_elements(), 3, 1);  // few values: equals are frequent
  const std::vector<double> diff_dst = small_integers(p.dst_elements(), 9, 2);
  const std::vector<double> before = small_integers(p.src_elements(), 9, 3);
  std::vector<double> dst(diff_dst.size()), diff_src(src.size()), added = before;
  std::vector<std::int32_t> argmax(dst.size());
  reference::max_pool_forward(p, src.data(), dst.data(), argmax.data());
  reference::max_pool_backward(p, diff_dst.data(), argmax.data(), GradMode::kOverwrite, diff_src.data());
  reference::max_pool_backward(p, diff_dst.data(), argmax.data(), GradMode::kAccumulate, added.data());

  const Bytes forward = in_every_order([&] { return max_forward_on_device(p, stored_as<T>(src), kTwoBlocks); });
  EXPECT_TRUE(exact(as_floats(elements_of<T>(forward, p.dst_elements())), dst, kTypeOf<T>));
  EXPECT_EQ(winners_in(forward, p, dst.size() * sizeof(T)), argmax);
  const Bytes winners(forward.begin() + static_cast<std::ptrdiff_t>(dst.size() * sizeof(T)), forward.end());

  const std::vector<T> stored_before = stored_as<T>(before);
  const Bytes set =
      in_every_order([&] { return max_backward_on_device<T>(p, stored_as<T>(diff_dst), winners, nullptr); });
  EXPECT_TRUE(exact(as_floats(elements_of<T>(set, p.src_elements())), diff_src, kTypeOf<T>));
  const Bytes sum = max_backward_on_device<T>(p, stored_as<T>(diff_dst), winners, &stored_before);
  EXPECT_TRUE(exact(as_floats(elements_of<T>(sum, p.src_elements())), added, kTypeOf<T>));
}

TEST_P(Pool, MaxIsExact) {
  expect_max_pool<float>(GetParam());
  expect_max_pool<Bf16>(GetParam());
}

template <class T>
void expect_average_pool(const Pool2dProblem& p) {
  const std::vector<double> src = small_integers(p.src_elements(), 50, 4);
  const std::vector<double> diff_dst = small_integers(p.dst_elements(), 9, 5);
  const Bytes forward = in_every_order([&] { return average_forward_on_device(p, stored_as<T>(src)); });
  const std::vector<double> dst = average_forward(p, src);
  EXPECT_TRUE(trusted(dst));
  EXPECT_TRUE(exact(as_floats(elements_of<T>(forward, p.dst_elements())), dst, kTypeOf<T>));

  // What is divided is a whole number, and added to it is a whole number of windows: exact before the last rounding
  // where the window's size is a power of two, else within two roundings.
  const Bytes set = in_every_order([&] { return average_backward_on_device<T>(p, stored_as<T>(diff_dst), nullptr); });
  std::vector<double> diff_src = average_backward(p, diff_dst);
  EXPECT_TRUE(exact(as_floats(elements_of<T>(set, p.src_elements())), diff_src, kTypeOf<T>));
  const std::vector<double> before = small_integers(p.src_elements(), 9, 6);
  const std::vector<T> stored_before = stored_as<T>(before);
  const Bytes sum = average_backward_on_device<T>(p, stored_as<T>(diff_dst), &stored_before);
  Bounded added = {.value = diff_src, .magnitude = diff_src, .terms = 2};
  for (std::size_t i = 0; i < before.size(); ++i) {
    added.value[i] += before[i];
    added.magnitude[i] = std::abs(diff_src[i]) + std::abs(before[i]);
  }
  EXPECT_TRUE(within_bound(as_floats(elements_of<T>(sum, p.src_elements())), added, kTypeOf<T>, 1));
}

TEST_P(Pool, AverageIsExact) {
  expect_average_pool<float>(GetParam());
  expect_average_pool<Bf16>(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Problems, Pool, ::testing::ValuesIn(kProblems));
INSTANTIATE_TEST_SUITE_P(Models, Pool, ::testing::ValuesIn(problems_of(model_problems().max_pool)));

class MaxPool : public KernelTest {};

template <class T>
void expect_that_nan_is_seen() {
  const Pool2dProblem p = {.n = 1, .h = 2, .w = 8, .c = 8};
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  std::vector<T> src(static_cast<std::size_t>(p.src_elements()), T(1.0f));
  const auto at = [&](int h, int w, int c) -> T& { return src[static_cast<std::size_t>((h * p.w + w) * p.c + c)]; };
  at(1, 1, 0) = T(kNan);  // the last of its window
  at(0, 2, 3) = T(kNan);  // the first, before a larger number
  at(1, 2, 3) = T(kInfinity);
  at(0, 5, 7) = at(1, 4, 7) = T(kNan);  // two: the first
  for (int place = 0; place < 4; ++place) at(place / 2, 6 + place % 2, 1) = T(-kInfinity);
  const Bytes bytes = max_forward_on_device(p, src, kDefaultPoolTuning);
  const auto dst = as_floats(elements_of<T>(bytes, p.dst_elements()));
  const auto argmax = elements_of<std::uint8_t>(bytes, p.dst_elements(), dst.size() * sizeof(T));
  EXPECT_TRUE(std::isnan(dst[0]));
  EXPECT_EQ(argmax[0], 3);
  EXPECT_TRUE(std::isnan(dst[8 + 3]));
  EXPECT_EQ(argmax[8 + 3], 0);
  EXPECT_TRUE(std::isnan(dst[16 + 7]));
  EXPECT_EQ(argmax[16 + 7], 1);
  EXPECT_EQ(dst[24 + 1], -kInfinity);
  EXPECT_EQ(argmax[24 + 1], 0);
  EXPECT_EQ(std::count_if(dst.begin(), dst.end(), [](float x) { return x == 1.0f; }), 28);
}

TEST_F(MaxPool, LetsANanWin) {
  expect_that_nan_is_seen<float>();
  expect_that_nan_is_seen<Bf16>();
}

TEST_F(MaxPool, NeedsNoArgmaxWithoutTraining) {
  const Pool2dProblem p = {.n = 1, .h = 4, .w = 4, .c = 8};
  DeviceArray<float> src(stored_as<float>(small_integers(p.src_elements(), 9, 1)), "src"), dst(32, "dst");
  CUDACARDS_ASSERT_RUNS(max_pool_forward(p, DType::kF32, {.src = src.data(), .dst = dst.data()}, nullptr));
  std::vector<double> expected(32);
  reference::max_pool_forward(p, small_integers(p.src_elements(), 9, 1).data(), expected.data(), nullptr);
  EXPECT_TRUE(exact(dst.read(), expected, DType::kF32));
}

class RandomAverage : public KernelTest {};

template <class T>
void expect_means_within_the_bound() {
  const Pool2dProblem p = {.n = 2, .h = 9, .w = 8, .c = 24, .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 1};
  const std::vector<double> src = random_values<T>(p.src_elements(), 2),
                            diff_dst = random_values<T>(p.dst_elements(), 3);
  const Bounded dst = {.value = average_forward(p, src), .magnitude = average_forward(p, magnitudes(src)), .terms = 9};
  const Bounded diff_src = {
      .value = average_backward(p, diff_dst), .magnitude = average_backward(p, magnitudes(diff_dst)), .terms = 9};
  const Bytes forward = average_forward_on_device(p, stored_as<T>(src));
  const Bytes backward = average_backward_on_device<T>(p, stored_as<T>(diff_dst), nullptr);
  EXPECT_TRUE(within_bound(as_floats(elements_of<T>(forward, p.dst_elements())), dst, kTypeOf<T>, 1));
  EXPECT_TRUE(within_bound(as_floats(elements_of<T>(backward, p.src_elements())), diff_src, kTypeOf<T>, 1));
}

TEST_F(RandomAverage, IsWithinTheBound) {
  expect_means_within_the_bound<float>();
  expect_means_within_the_bound<Bf16>();
}

// --- what all have in common

TEST(PoolSupports, SaysNoWithTheReason) {
  const Pool2dProblem p = {.n = 1, .h = 20, .w = 20, .c = 8};
  EXPECT_TRUE(max_pool_supports(p, DType::kF32));
  EXPECT_TRUE(max_pool_supports(p, DType::kBf16));
  EXPECT_THAT(max_pool_supports(p, DType::kU8).reason(), HasSubstr("uint8"));
  Pool2dProblem wide = p;
  wide.window_h = 16;
  wide.window_w = 20;
  EXPECT_TRUE(max_pool_supports(wide, DType::kF32));
  EXPECT_TRUE(average_pool_supports(wide, DType::kF32));
  wide.window_w = 21;
  EXPECT_THAT(average_pool_supports(wide, DType::kF32).reason(), HasSubstr("larger"));
  Pool2dProblem tall = p;
  tall.window_h = 21;
  EXPECT_THAT(average_pool_supports(tall, DType::kF32).reason(), HasSubstr("larger"));
  Pool2dProblem none = p;
  none.stride_w = 0;
  EXPECT_THAT(average_pool_supports(none, DType::kF32).reason(), HasSubstr("1 or more"));
  Pool2dProblem large = {.n = 1 << 15, .h = 256, .w = 256, .c = 1};
  EXPECT_TRUE(max_pool_supports(large, DType::kF32));
  large.n += 1;
  EXPECT_THAT(max_pool_supports(large, DType::kF32).reason(), HasSubstr("2^31"));
}

TEST(PoolLaunchers, RefuseWhatIsUnsupportedOrUnalignedAndIgnoreWhatNobodyWants) {
  const Pool2dProblem p = {.n = 1, .h = 2, .w = 2, .c = 4};
  alignas(16) float memory[16] = {};
  alignas(16) std::uint8_t winners[32] = {};
  constexpr DType kF32 = DType::kF32, kU8 = DType::kU8;
  const auto aligned = HasSubstr("16-byte aligned");
  EXPECT_THAT(max_pool_forward(p, kF32, {memory + 1, memory, winners}, nullptr).reason(), aligned);
  EXPECT_THAT(max_pool_forward(p, kF32, {memory, memory + 1, winners}, nullptr).reason(), aligned);
  EXPECT_THAT(max_pool_forward(p, kF32, {memory, memory, winners + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(max_pool_backward(p, kF32, {memory + 1, winners, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(max_pool_backward(p, kF32, {memory, winners + 1, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(max_pool_backward(p, kF32, {memory, winners, memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(average_pool_forward(p, kF32, {memory + 1, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(average_pool_forward(p, kF32, {memory, memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(average_pool_backward(p, kF32, {memory + 1, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(average_pool_backward(p, kF32, {memory, memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(max_pool_forward(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(max_pool_backward(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(average_pool_forward(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(average_pool_backward(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_TRUE(max_pool_backward(p, kF32, {.diff_src_mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(average_pool_backward(p, kF32, {.diff_src_mode = GradMode::kIgnore}, nullptr));
}

class PoolTraffic : public KernelTest {};

template <class T>
void run_all(const Pool2dProblem& p) {
  const auto src = stored_as<T>(small_integers(p.src_elements(), 9, 1));
  const auto diff_dst = stored_as<T>(small_integers(p.dst_elements(), 9, 2));
  const Bytes winners(diff_dst.size(), std::byte{2});
  max_forward_on_device(p, src, kDefaultPoolTuning);
  max_backward_on_device<T>(p, diff_dst, winners, &src);
  average_forward_on_device(p, src);
  average_backward_on_device<T>(p, diff_dst, &src);
}

TEST_F(PoolTraffic, IsWhatTheBytesNeed) {
  expect_traffic("pool", {}, [] {
    run_all<float>({.n = 1, .h = 8, .w = 8, .c = 64});
    run_all<Bf16>({.n = 1, .h = 8, .w = 8, .c = 64});
    run_all<Bf16>({.n = 1, .h = 7, .w = 7, .c = 32, .window_h = 3, .window_w = 3});
  });
}

}  // namespace
}  // namespace cudacards::testing
