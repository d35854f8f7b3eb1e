// Global average pool against the reference in double: integers exactly, in every order of threads.

#include <gmock/gmock.h>

#include <cmath>

#include "host/ops/reference/pool.h"
#include "kernels/pool/pool.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/model_problems.h"
#include "tests/kernels/support/sample_values.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr PoolTuning kTwoBlocks = {.arch = {}, .most_blocks = 2};  // so that blocks go round

const GlobalPoolProblem kGlobalProblems[] = {
    {.n = 1, .pixels = 1, .c = 1},   {.n = 2, .pixels = 49, .c = 1280}, {.n = 3, .pixels = 16, .c = 32},
    {.n = 2, .pixels = 17, .c = 53}, {.n = 1, .pixels = 15, .c = 72},   {.n = 5, .pixels = 100, .c = 4},
    {.n = 2, .pixels = 64, .c = 8},  {.n = 1, .pixels = 33, .c = 9},
};

template <class T>
Bytes global_on_device(const GlobalPoolProblem& p, const std::vector<T>& src) {
  DeviceArray<T> device_src(src, "src"), dst(static_cast<std::size_t>(p.dst_elements()), "dst");
  CUDACARDS_EXPECT_RUNS(
      global_average_pool_forward(p, kTypeOf<T>, {.src = device_src.data(), .dst = dst.data()}, nullptr));
  return bytes_of(dst);
}

template <class T>
Bytes global_backward_on_device(const GlobalPoolProblem& p, const std::vector<T>& diff_dst,
                                const std::vector<T>* before) {
  DeviceArray<T> device_diff_dst(diff_dst, "diff_dst"),
      diff_src(static_cast<std::size_t>(p.src_elements()), "diff_src");
  if (before) diff_src.write(*before);
  const GradMode mode = before ? GradMode::kAccumulate : GradMode::kOverwrite;
  CUDACARDS_EXPECT_RUNS(global_average_pool_backward(
      p, kTypeOf<T>, {.diff_dst = device_diff_dst.data(), .diff_src = diff_src.data(), .diff_src_mode = mode}, nullptr,
      kTwoBlocks));
  return bytes_of(diff_src);
}

class GlobalAveragePool : public KernelTest, public ::testing::WithParamInterface<GlobalPoolProblem> {};

template <class T>
void expect_global_average_pool(const GlobalPoolProblem& p) {
  const std::vector<double> src = small_integers(p.src_elements(), 9, 7);
  std::vector<double> dst(static_cast<std::size_t>(p.dst_elements()));
  reference::global_average_pool_forward(p.n, p.pixels, p.c, src.data(), dst.data());
  EXPECT_TRUE(trusted(dst));
  const Bytes forward = in_every_order([&] { return global_on_device(p, stored_as<T>(src)); });
  EXPECT_TRUE(exact(as_floats(elements_of<T>(forward, p.dst_elements())), dst, kTypeOf<T>));

  const std::vector<double> diff_dst = small_integers(p.dst_elements(), 9, 8);
  std::vector<double> diff_src(src.size());
  reference::global_average_pool_backward(p.n, p.pixels, p.c, diff_dst.data(), GradMode::kOverwrite, diff_src.data());
  const Bytes set = in_every_order([&] { return global_backward_on_device<T>(p, stored_as<T>(diff_dst), nullptr); });
  EXPECT_TRUE(exact(as_floats(elements_of<T>(set, p.src_elements())), diff_src, kTypeOf<T>));
  const std::vector<T> before = stored_as<T>(src);
  const Bytes sum = global_backward_on_device<T>(p, stored_as<T>(diff_dst), &before);
  Bounded added = {.value = diff_src, .magnitude = diff_src, .terms = 2};
  for (std::size_t i = 0; i < src.size(); ++i) {
    added.value[i] += src[i];
    added.magnitude[i] = std::abs(diff_src[i]) + std::abs(src[i]);
  }
  EXPECT_TRUE(within_bound(as_floats(elements_of<T>(sum, p.src_elements())), added, kTypeOf<T>, 1));
}

TEST_P(GlobalAveragePool, IsExact) {
  expect_global_average_pool<float>(GetParam());
  expect_global_average_pool<Bf16>(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Problems, GlobalAveragePool, ::testing::ValuesIn(kGlobalProblems));
INSTANTIATE_TEST_SUITE_P(Models, GlobalAveragePool, ::testing::ValuesIn(problems_of(model_problems().global_pool)));

class RandomGlobalAveragePool : public KernelTest {};

template <class T>
void expect_means_within_the_bound() {
  const GlobalPoolProblem g = {.n = 2, .pixels = 49, .c = 72};
  const std::vector<double> pixels = random_values<T>(g.src_elements(), 1);
  Bounded means = {.value = std::vector<double>(144), .magnitude = std::vector<double>(144), .terms = 49};
  reference::global_average_pool_forward(g.n, g.pixels, g.c, pixels.data(), means.value.data());
  reference::global_average_pool_forward(g.n, g.pixels, g.c, magnitudes(pixels).data(), means.magnitude.data());
  EXPECT_TRUE(
      within_bound(as_floats(elements_of<T>(global_on_device(g, stored_as<T>(pixels)), 144)), means, kTypeOf<T>, 1));
}

TEST_F(RandomGlobalAveragePool, IsWithinTheBound) {
  expect_means_within_the_bound<float>();
  expect_means_within_the_bound<Bf16>();
}

TEST(GlobalAveragePoolSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(global_average_pool_supports({.n = 1, .pixels = 49, .c = 1280}, DType::kBf16));
  EXPECT_THAT(global_average_pool_supports({.n = 1, .pixels = 49, .c = 8}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(global_average_pool_supports({.n = 1, .pixels = 0, .c = 8}, DType::kF32).reason(),
              HasSubstr("1 or more"));
  EXPECT_TRUE(global_average_pool_supports({.n = 1 << 15, .pixels = 1 << 16, .c = 1}, DType::kF32));
  EXPECT_THAT(global_average_pool_supports({.n = 1 << 15, .pixels = (1 << 16) + 1, .c = 1}, DType::kF32).reason(),
              HasSubstr("2^31"));
  EXPECT_TRUE(global_average_pool_supports({.n = 1, .pixels = 1, .c = 524280}, DType::kF32));
  EXPECT_THAT(global_average_pool_supports({.n = 1, .pixels = 1, .c = 524281}, DType::kF32).reason(),
              HasSubstr("524280"));
}

TEST(GlobalAveragePoolLaunchers, RefuseWhatIsUnsupportedOrUnalignedAndIgnoreWhatNobodyWants) {
  const GlobalPoolProblem g = {.n = 1, .pixels = 4, .c = 4};
  alignas(16) float memory[16] = {};
  constexpr DType kF32 = DType::kF32, kU8 = DType::kU8;
  const auto aligned = HasSubstr("16-byte aligned");
  EXPECT_THAT(global_average_pool_forward(g, kF32, {memory + 1, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(global_average_pool_forward(g, kF32, {memory, memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(global_average_pool_backward(g, kF32, {memory + 1, memory}, nullptr).reason(), aligned);
  EXPECT_THAT(global_average_pool_backward(g, kF32, {memory, memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(global_average_pool_forward(g, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(global_average_pool_backward(g, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_TRUE(global_average_pool_backward(g, kF32, {.diff_src_mode = GradMode::kIgnore}, nullptr));
}

class GlobalAveragePoolTraffic : public KernelTest {};

TEST_F(GlobalAveragePoolTraffic, IsWhatTheBytesNeed) {
  expect_traffic("global_average_pool", {}, [] {
    const GlobalPoolProblem g = {.n = 2, .pixels = 49, .c = 1280};
    const auto pixels = small_integers(g.src_elements(), 9, 1), means = small_integers(g.dst_elements(), 9, 1);
    global_on_device(g, stored_as<float>(pixels));
    global_on_device(g, stored_as<Bf16>(pixels));
    global_backward_on_device<float>(g, stored_as<float>(means), nullptr);
    global_backward_on_device<Bf16>(g, stored_as<Bf16>(means), nullptr);
  });
}

}  // namespace
}  // namespace cudacards::testing
