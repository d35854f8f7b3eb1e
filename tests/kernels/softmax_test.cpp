// Softmax and its gradient are the formula in double, for rows in registers and rows in memory.

#include "kernels/softmax/softmax.h"

#include <gmock/gmock.h>

#include "host/ops/reference/softmax.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/model_problems.h"
#include "tests/kernels/support/norm_numbers.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

TEST(SoftmaxSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(softmax_supports({.rows = 3, .classes = 53}, DType::kF32));
  EXPECT_TRUE(softmax_supports({.rows = 0, .classes = 1}, DType::kBf16));
  EXPECT_TRUE(softmax_supports({.rows = (std::int64_t{1} << 31) - 1, .classes = 1 << 30}, DType::kBf16));
  EXPECT_THAT(softmax_supports({}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(softmax_supports({.classes = 0}, DType::kF32).reason(), HasSubstr("one class"));
  EXPECT_THAT(softmax_supports({.classes = (1 << 30) + 1}, DType::kF32).reason(), HasSubstr("31 bits"));
  EXPECT_THAT(softmax_supports({.rows = -1}, DType::kF32).reason(), HasSubstr("rows"));
  EXPECT_THAT(softmax_supports({.rows = std::int64_t{1} << 31}, DType::kF32).reason(), HasSubstr("rows"));
}

TEST(SoftmaxProblem, CountsBytes) {
  EXPECT_EQ((SoftmaxProblem{.rows = 3, .classes = 53}.bytes(DType::kF32)), 3 * 53 * 8);
  EXPECT_EQ((SoftmaxProblem{.rows = 3, .classes = 53}.backward_bytes(DType::kBf16)), 3 * 53 * 6);
  EXPECT_EQ((SoftmaxProblem{.rows = 3, .classes = 53}.flops()), 3 * 53 * 5);
}

TEST(SoftmaxLauncher, RefusesUnalignedMemoryAndStartsNothingForNothing) {
  alignas(16) float memory[8] = {};
  const SoftmaxProblem p{.rows = 1, .classes = 2};
  EXPECT_THAT(softmax(p, DType::kF32, {.src = memory + 1, .dst = memory}, nullptr).reason(), HasSubstr("aligned"));
  EXPECT_THAT(softmax(p, DType::kF32, {.src = memory, .dst = memory + 1}, nullptr).reason(), HasSubstr("aligned"));
  EXPECT_THAT(softmax({.classes = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("softmax: a row"));
  EXPECT_TRUE(softmax({.rows = 0}, DType::kF32, {}, nullptr));
  for (int which = 0; which < 3; ++which) {
    EXPECT_THAT(
        softmax_backward(
            p, DType::kF32,
            {.dst = memory + (which == 0), .diff_dst = memory + (which == 1), .diff_src = memory + (which == 2)},
            nullptr)
            .reason(),
        HasSubstr("aligned"));
  }
  EXPECT_THAT(softmax_backward(p, DType::kU8, {}, nullptr).reason(), HasSubstr("softmax_backward: no softmax"));
  EXPECT_TRUE(softmax_backward({.rows = 0}, DType::kF32, {}, nullptr));
  EXPECT_TRUE(softmax_backward(p, DType::kF32, {.mode = GradMode::kIgnore}, nullptr));
}

enum class Place { kApart, kInPlace };

template <class T>
std::vector<T> softmax_on_device(const SoftmaxProblem& p, const std::vector<T>& src, Place place = Place::kApart) {
  DeviceArray<T> device_src(src, "src"), device_dst(src.size(), "dst");
  T* dst = place == Place::kApart ? device_dst.data() : device_src.data();
  CUDACARDS_EXPECT_RUNS(softmax(p, kTypeOf<T>, {.src = device_src.data(), .dst = dst}, nullptr));
  return place == Place::kApart ? device_dst.read() : device_src.read();
}

template <class T>
std::vector<T> backward_on_device(const SoftmaxProblem& p, const std::vector<T>& dst, const std::vector<T>& diff_dst,
                                  GradMode mode, const std::vector<T>& before) {
  DeviceArray<T> device_dst(dst, "dst"), device_diff_dst(diff_dst, "diff_dst"), diff_src(dst.size(), "diff_src");
  if (mode == GradMode::kAccumulate) diff_src.write(before);
  CUDACARDS_EXPECT_RUNS(softmax_backward(
      p, kTypeOf<T>,
      {.dst = device_dst.data(), .diff_dst = device_diff_dst.data(), .diff_src = diff_src.data(), .mode = mode},
      nullptr));
  return diff_src.read();
}

template <class T>
Bytes as_bytes(const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const std::byte*>(values.data());
  return {begin, begin + values.size() * sizeof(T)};
}

class SoftmaxKernel : public KernelTest, public ::testing::WithParamInterface<SoftmaxProblem> {};

constexpr float kRange = 8;

/// exp(z) carries z's rounding, |z| <= kRange units, and its own; the sum one a term.
template <class T>
void expect_the_formula(const SoftmaxProblem& p) {
  const auto src = random_numbers<T>(p.elements(), -kRange / 2, kRange / 2, 11);
  Bounded expected{.value = std::vector<double>(src.size()), .magnitude = {}, .terms = static_cast<double>(p.classes)};
  reference::softmax_forward(p.rows, p.classes, in_double(src).data(), expected.value.data());
  for (const double y : expected.value) expected.magnitude.push_back(y * (1 + double{kRange}));
  std::vector<T> dst;
  in_every_order([&] { return as_bytes(dst = softmax_on_device(p, src)); });
  EXPECT_TRUE(within_bound(in_float(dst), expected, kTypeOf<T>, 1));
  EXPECT_EQ(as_bytes(softmax_on_device(p, src, Place::kInPlace)), as_bytes(dst));
}

TEST_P(SoftmaxKernel, IsTheFormula) {
  expect_the_formula<float>(GetParam());
  expect_the_formula<Bf16>(GetParam());
}

/// One class in every full eight is 0, the others are minus infinity: shares are powers of two where that many are.
template <class T>
void expect_exact_shares(const SoftmaxProblem& p) {
  std::vector<T> src(static_cast<std::size_t>(p.elements()), T(-INFINITY));
  std::vector<double> expected(src.size());
  for (std::int64_t row = 0; row < p.rows; ++row) {
    const std::int64_t sharers = row % 2 == 0 || p.classes < 16 ? 1 : 16;  // at either end of the row
    for (std::int64_t k = 0; k < sharers; ++k) {
      const auto at = static_cast<std::size_t>(row * p.classes + (k % 2 == 0 ? p.classes - 1 - k / 2 : k / 2));
      src[at] = T(3.0f);
      expected[at] = 1.0 / static_cast<double>(sharers);
    }
  }
  EXPECT_TRUE(exact(in_float(softmax_on_device(p, src)), expected, kTypeOf<T>));
}

TEST_P(SoftmaxKernel, SharesEquallyToTheLastBit) {
  expect_exact_shares<float>(GetParam());
  expect_exact_shares<Bf16>(GetParam());
}

template <class T>
void expect_the_exact_gradient(const SoftmaxProblem& p, GradMode mode) {
  const auto dst = random_integers<T>(p.elements(), 0, 2, 12), diff_dst = random_integers<T>(p.elements(), -3, 3, 13);
  const auto before = random_integers<T>(p.elements(), -9, 9, 14);
  std::vector<double> expected = in_double(before);
  reference::softmax_backward(p.rows, p.classes, in_double(dst).data(), in_double(diff_dst).data(), mode,
                              expected.data());
  std::vector<T> diff_src;
  in_every_order([&] { return as_bytes(diff_src = backward_on_device(p, dst, diff_dst, mode, before)); });
  EXPECT_TRUE(exact(in_float(diff_src), expected, kTypeOf<T>));
  EXPECT_TRUE(trusted(expected));
}

TEST_P(SoftmaxKernel, HasTheExactGradient) {
  for (const GradMode mode : {GradMode::kOverwrite, GradMode::kAccumulate}) {
    expect_the_exact_gradient<float>(GetParam(), mode);
    expect_the_exact_gradient<Bf16>(GetParam(), mode);
  }
}

template <class T>
void expect_a_bounded_gradient(const SoftmaxProblem& p) {
  const auto dst = random_numbers<T>(p.elements(), 0, 1, 15), diff_dst = random_numbers<T>(p.elements(), -1, 1, 16);
  const auto y = in_double(dst), g = in_double(diff_dst);
  Bounded expected{.value = std::vector<double>(y.size()), .magnitude = {}, .terms = static_cast<double>(p.classes)};
  reference::softmax_backward(p.rows, p.classes, y.data(), g.data(), GradMode::kOverwrite, expected.value.data());
  for (std::int64_t row = 0; row < p.rows; ++row) {
    double sum = 0;
    const auto first = static_cast<std::size_t>(row * p.classes), end = first + static_cast<std::size_t>(p.classes);
    for (std::size_t i = first; i < end; ++i) sum += std::abs(y[i] * g[i]);
    for (std::size_t i = first; i < end; ++i) expected.magnitude.push_back(y[i] * (std::abs(g[i]) + sum));
  }
  EXPECT_TRUE(
      within_bound(in_float(backward_on_device(p, dst, diff_dst, GradMode::kOverwrite, {})), expected, kTypeOf<T>, 2));
}

TEST_P(SoftmaxKernel, HasABoundedGradient) {
  expect_a_bounded_gradient<float>(GetParam());
  expect_a_bounded_gradient<Bf16>(GetParam());
}

// One element; the head's 53 classes; ImageNet's 1000; either side of every bound between kernels; rows in memory of a
// slab of 256 threads, with and without vectors, ragged and more than one slab; primes.
INSTANTIATE_TEST_SUITE_P(Rows, SoftmaxKernel,
                         ::testing::Values(SoftmaxProblem{1, 1}, SoftmaxProblem{2, 2}, SoftmaxProblem{9, 31},
                                           SoftmaxProblem{5, 53}, SoftmaxProblem{4, 64}, SoftmaxProblem{5, 65},
                                           SoftmaxProblem{3, 256}, SoftmaxProblem{3, 257}, SoftmaxProblem{2, 1000},
                                           SoftmaxProblem{1, 1024}, SoftmaxProblem{2, 1025}, SoftmaxProblem{3, 1032},
                                           SoftmaxProblem{2, 2052}, SoftmaxProblem{1, 4111}),
                         [](const auto& info) {
                           return std::to_string(info.param.rows) + "x" + std::to_string(info.param.classes);
                         });
INSTANTIATE_TEST_SUITE_P(Models, SoftmaxKernel, ::testing::ValuesIn(problems_of(model_problems().softmax)));

class SoftmaxRows : public KernelTest {};

TEST_F(SoftmaxRows, ANanStaysInItsRow) {
  for (const int classes : {53, 1032}) {
    const SoftmaxProblem p{.rows = 3, .classes = classes};
    auto src = random_numbers<float>(p.elements(), -1, 1, 17);
    src[static_cast<std::size_t>(classes + 2)] = NAN;
    const auto dst = softmax_on_device(p, src);
    for (std::size_t i = 0; i < dst.size(); ++i)
      ASSERT_EQ(std::isnan(dst[i]), i / static_cast<std::size_t>(classes) == 1) << i;
  }
}

TEST_F(SoftmaxRows, HugeScoresStayFinite) {
  const SoftmaxProblem p{.rows = 1, .classes = 3};
  EXPECT_EQ(softmax_on_device<float>(p, {3e38f, -3e38f, 0}), (std::vector<float>{1, 0, 0}));
}

TEST_F(SoftmaxRows, MemoryTrafficIsWhatTheBytesNeed) {
  expect_traffic("softmax", {}, [] {
    for (const int classes : {64, 256, 1024, 4096}) {
      const SoftmaxProblem p{.rows = 4, .classes = classes};
      const auto f32 = random_numbers<float>(p.elements(), -1, 1, 18);
      const auto bf16 = random_numbers<Bf16>(p.elements(), -1, 1, 18);
      softmax_on_device(p, f32);
      softmax_on_device(p, bf16);
      backward_on_device(p, f32, f32, GradMode::kAccumulate, f32);
      backward_on_device(p, bf16, bf16, GradMode::kAccumulate, bf16);
    }
  });
}

TEST_F(SoftmaxRows, StartTheKernelThatIsMeantForTheirLength) {
  for (const auto& [classes, kernel] : kKernelsOfRows) {
    const SoftmaxProblem p{.rows = 1, .classes = classes};
    const std::vector<float> values(static_cast<std::size_t>(classes), 0.5f);
    expect_started(std::string("softmax_") + kernel, [&] { softmax_on_device(p, values); });
    expect_started(std::string("softmax_backward_") + kernel,
                   [&] { backward_on_device(p, values, values, GradMode::kOverwrite, values); });
  }
}

}  // namespace
}  // namespace cudacards::testing
