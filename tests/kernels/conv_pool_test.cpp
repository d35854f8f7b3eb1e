// Convolution + bias + pool + activation in one kernel, and its gradients from the pooled ones, against double.

#include "kernels/conv_pool/conv_pool.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/kernels/support/conv_pool_case.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

class ConvPool : public KernelTest, public ::testing::WithParamInterface<Case> {};

TEST_P(ConvPool, ForwardIsExactOnIntegersWithEveryWinner) {
  if (GetParam().source == kU8) {
    expect_exact_forward<std::uint8_t, float>(GetParam());
    expect_exact_forward<std::uint8_t, Bf16>(GetParam());
  } else {
    expect_exact_forward<float, float>(GetParam());
    expect_exact_forward<Bf16, Bf16>(GetParam());
  }
}

TEST_P(ConvPool, GradientsAreExactOnIntegers) {
  if (GetParam().source == kU8) {
    expect_exact_backward<std::uint8_t, float>(GetParam());
    expect_exact_backward<std::uint8_t, Bf16>(GetParam());
  } else {
    expect_exact_backward<float, float>(GetParam());
    expect_exact_backward<Bf16, Bf16>(GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ConvPool, ::testing::ValuesIn(kCases));
INSTANTIATE_TEST_SUITE_P(Models, ConvPool, ::testing::ValuesIn(conv_pool_cases::cases_of_models()));

// --- random numbers: within the bound of fp32 sums; the winner may be another where two are as good as equal

template <class S, class T>
void expect_bounded(const Case& c) {
  Data<S, T> data(c);
  data.make_real();
  const auto expected = conv_pool_reference<T>(data.p, doubles(data.src), doubles(data.weights), doubles(data.bias));
  const Pooled<T> pooled = forward(data);
  EXPECT_TRUE(within_bound(floats(pooled.dst), expected.dst, kType<T>, 4)) << c;
  int others = 0;
  for (std::size_t i = 0; i < expected.dst.value.size(); ++i) {
    const std::size_t k = std::size_t(c.k), word = i / k * std::size_t(data.p.argmax_words_per_pixel()) + i % k / 16;
    const auto shift = 2 * (i % k % 16);
    if ((pooled.argmax[word] ^ expected.argmax[word]) >> shift & 3) ++others;
  }
  EXPECT_LE(others, int(expected.dst.value.size() / 50)) << c;

  const ConvGradients grads = gradients(data);
  if (data.p.source == ConvPoolSource::kAsDst) {
    EXPECT_TRUE(within_bound(backward_data(data, GradMode::kOverwrite), grads.src, kType<T>, 4)) << c;
  }
  Bounded weights = joined(grads.weights, grads.bias);
  EXPECT_TRUE(within_bound(backward_weights(data, GradMode::kOverwrite), weights, DType::kF32, 4)) << c;
}

class ConvPoolNumbers : public KernelTest {};

TEST_F(ConvPoolNumbers, StayWithinTheBoundOfTheirSums) {
  expect_bounded<float, float>({1, 10, 12, 11, 20});
  expect_bounded<std::uint8_t, float>({1, 9, 8, 3, 16, kRelu, kU8, 1 / 255.0f});
  expect_bounded<Bf16, Bf16>({1, 12, 9, 32, 40});
  expect_bounded<Bf16, Bf16>({1, 10, 9, 3, 16});
  expect_bounded<std::uint8_t, Bf16>({1, 9, 8, 3, 16, kRelu, kU8, 1 / 255.0f});
}

// --- what is not a number stays visible

template <class S, class T>
void expect_nans(const Data<S, T>& data) {
  const auto expected = conv_pool_reference<T>(data.p, doubles(data.src), doubles(data.weights), doubles(data.bias));
  const Pooled<T> actual = forward(data);
  EXPECT_EQ(actual.argmax, expected.argmax);
  int nans = 0;
  for (std::size_t i = 0; i < actual.dst.size(); ++i) {
    EXPECT_EQ(std::isnan(float(actual.dst[i])), std::isnan(expected.dst.value[i])) << i;
    nans += std::isnan(float(actual.dst[i])) ? 1 : 0;
  }
  EXPECT_GT(nans, 0);
  EXPECT_LT(nans, int(actual.dst.size()));
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class S, class T>
void expect_nan_of_a_pixel(const Case& c, int row, int column) {
  Data<S, T> data(c);
  data.src[std::size_t((row * c.w + column) * c.c + c.c - 1)] = S(kNan);
  expect_nans(data);
}

// In a corner of one window it is the first, the second, ... place that is not a number first.
TEST_F(ConvPoolNumbers, ANanOfAPixelWinsEveryWindowThatItReaches) {
  for (const auto& [row, column] : {std::pair{4, 4}, std::pair{4, 5}, std::pair{5, 4}, std::pair{5, 5}}) {
    expect_nan_of_a_pixel<float, float>({1, 10, 10, 5, 8}, row, column);
    expect_nan_of_a_pixel<Bf16, Bf16>({1, 10, 10, 16, 8}, row, column);
  }
}

template <class S, class T>
void expect_nan_of_a_bias(const Case& c) {
  Data<S, T> data(c);
  data.bias[1] = kNan;
  expect_nans(data);
}

TEST_F(ConvPoolNumbers, ANanOfABiasReachesItsFilterOnly) {
  expect_nan_of_a_bias<float, float>({1, 4, 4, 5, 8, kRelu6});
  expect_nan_of_a_bias<Bf16, Bf16>({1, 4, 4, 16, 8, kRelu6});
  expect_nan_of_a_bias<Bf16, Bf16>({1, 4, 4, 3, 8, kRelu});
}

// Beyond the picture it may meet the zeros of the padding.
TEST_F(ConvPoolNumbers, ANanOfAGradientReachesWhatItsWinnerHasSeen) {
  const auto check = [](auto data) {
    data.diff_dst[0] = typename decltype(data.diff_dst)::value_type(kNan);
    data.dst[0] = typename decltype(data.dst)::value_type(1.0f);
    const ConvGradients expected = gradients(data);
    const std::vector<float> diff_src = backward_data(data, GradMode::kOverwrite);
    for (std::size_t i = 0; i < diff_src.size(); ++i)
      EXPECT_EQ(std::isnan(diff_src[i]), std::isnan(expected.src.value[i])) << i;
    const std::vector<float> parameters = backward_weights(data, GradMode::kOverwrite);
    const std::vector<double> wanted = joined(expected.weights, expected.bias).value;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const bool of_first_filter =
          i < data.weights.size() ? i < 9 * std::size_t(data.p.conv.c) : i == data.weights.size();
      EXPECT_TRUE(std::isnan(parameters[i]) ? of_first_filter : !std::isnan(wanted[i])) << i;
    }
  };
  check(Data<float, float>(Case{1, 6, 6, 5, 8}));
  check(Data<Bf16, Bf16>(Case{1, 6, 6, 8, 8}));
}

// --- more tiles than splits: a block goes over several

template <class S, class T>
void expect_exact_sums_over_tiles(const Case& c) {
  const Data<S, T> data(c);
  const ConvGradients expected = gradients(data);
  EXPECT_TRUE(
      exact(backward_weights(data, GradMode::kOverwrite), joined(expected.weights, expected.bias).value, DType::kF32))
      << c << " " << name_of(kType<T>);
}

TEST_F(ConvPoolNumbers, WeightGradientsAddUpTheTilesOfASplit) {
  const Case pictures{570, 2, 2, 8, 8}, narrow{1330, 2, 2, 3, 8, kRelu, kU8};
  expect_exact_sums_over_tiles<float, float>(pictures);
  expect_exact_sums_over_tiles<Bf16, Bf16>(pictures);
  expect_exact_sums_over_tiles<std::uint8_t, float>(narrow);
  expect_exact_sums_over_tiles<std::uint8_t, Bf16>(narrow);
}

// --- what an argument asks for

TEST_F(ConvPoolNumbers, BiasAndWinnersMayBeMissing) {
  const auto check = [](auto data) {
    using T = typename decltype(data.weights)::value_type;
    std::fill(data.bias.begin(), data.bias.end(), 0.0f);
    const auto expected = conv_pool_reference<T>(data.p, doubles(data.src), doubles(data.weights), doubles(data.bias));
    DeviceArray src(data.src, "src");
    DeviceArray weights(data.weights, "weights");
    DeviceArray<T> dst(std::size_t(data.p.dst_elements()), "dst");
    CUDACARDS_ASSERT_RUNS(conv_pool_forward(
        data.p, kType<T>, {.src = src.data(), .weights = weights.data(), .dst = dst.data()}, nullptr));
    EXPECT_TRUE(exact(floats(dst.read()), expected.dst.value, kType<T>));
    const std::vector<float> with = backward_weights(data, GradMode::kOverwrite);
    const std::vector<float> without = backward_weights(data, GradMode::kOverwrite, WithBias::kNo);
    EXPECT_TRUE(std::equal(without.begin(), without.end(), with.begin()));
  };
  check(Data<float, float>(Case{1, 4, 6, 5, 9}));
  check(Data<Bf16, Bf16>(Case{1, 4, 6, 16, 24}));
  check(Data<Bf16, Bf16>(Case{1, 4, 6, 3, 24}));
}

TEST_F(ConvPoolNumbers, IgnoredGradientsAreNotTouched) {
  const Data<Bf16, Bf16> data(Case{1, 4, 4, 16, 8});
  EXPECT_EQ(backward_data(data, GradMode::kIgnore), floats(data.old_src));
  EXPECT_EQ(backward_weights(data, GradMode::kIgnore, WithBias::kNo), data.old_weights);
}

// --- the launchers

TEST(ConvPoolSupports, SaysNoWithTheReason) {
  const auto reason = [](auto change, DType type = DType::kF32) {
    ConvPoolProblem p = conv_pool_problem(1, 8, 8, 3, 4);
    change(p);
    return conv_pool_supports(p, type).reason();
  };
  EXPECT_EQ(reason([](ConvPoolProblem&) {}), "");
  EXPECT_EQ(reason([](ConvPoolProblem&) {}, DType::kBf16), "");
  EXPECT_THAT(reason([](ConvPoolProblem&) {}, DType::kU8), HasSubstr("uint8"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.r = 5; }), HasSubstr("3 x 3"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.s = 1; }), HasSubstr("3 x 3"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.stride_h = 2; }), HasSubstr("stride"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.stride_w = 2; }), HasSubstr("stride"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.pad.bottom = 0; }), HasSubstr("padding"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.groups = 3; }), HasSubstr("groups"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.n = 0; }), HasSubstr("empty batch"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.c = 0; }), HasSubstr("no channels"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.k = 0; }), HasSubstr("no filters"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.h = 1; }), HasSubstr("2 x 2"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.w = 1; }), HasSubstr("2 x 2"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.h = p.conv.w = 30000; }), HasSubstr("in a picture"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) { p.conv.c = p.conv.k = 20000; }), HasSubstr("weights"));
  EXPECT_THAT(reason([](ConvPoolProblem& p) {
                p.conv.n = 2000000000;
                p.conv.h = 16;
              }),
              HasSubstr("blocks"));
  ConvPoolProblem pixels = conv_pool_problem(1, 8, 8, 3, 4);
  pixels.source = kU8;
  EXPECT_TRUE(conv_pool_backward_weights_supports(pixels, DType::kF32));
  EXPECT_THAT(conv_pool_backward_data_supports(pixels, DType::kF32).reason(), HasSubstr("uint8"));
}

TEST(ConvPoolPaths, FollowTypeAndChannels) {
  using enum ConvPoolPath;
  const auto of = [](auto path, int c, int k, DType type, ConvPoolSource source = ConvPoolSource::kAsDst) {
    ConvPoolProblem p = conv_pool_problem(1, 8, 8, c, k);
    p.source = source;
    return path(p, type);
  };
  constexpr DType kF32 = DType::kF32, kBf16 = DType::kBf16;
  EXPECT_EQ(of(conv_pool_forward_path, 16, 8, kBf16), kTensorCores);
  EXPECT_EQ(of(conv_pool_forward_path, 16, 8, kF32), kSimt);
  EXPECT_EQ(of(conv_pool_forward_path, 16, 12, kBf16), kSimt);
  EXPECT_EQ(of(conv_pool_forward_path, 24, 8, kBf16), kSimt);
  EXPECT_EQ(of(conv_pool_forward_path, 16, 8, kBf16, kU8), kSimt);
  EXPECT_EQ(of(conv_pool_forward_path, 4, 8, kBf16), kNarrow);
  EXPECT_EQ(of(conv_pool_forward_path, 3, 8, kBf16, kU8), kNarrow);
  EXPECT_EQ(of(conv_pool_forward_path, 5, 8, kBf16), kSimt);
  EXPECT_EQ(of(conv_pool_backward_data_path, 8, 8, kBf16), kTensorCores);
  EXPECT_EQ(of(conv_pool_backward_data_path, 4, 8, kBf16), kSimt);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 8, 8, kBf16), kTensorCores);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 8, 8, kBf16, kU8), kSimt);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 8, 8, kF32), kSimt);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 8, 12, kBf16), kSimt);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 12, 8, kBf16), kSimt);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 4, 8, kBf16), kNarrow);
  EXPECT_EQ(of(conv_pool_backward_weights_path, 3, 8, kBf16, kU8), kNarrow);
}

TEST(ConvPoolLaunchers, RefuseWhatTheyDoNotSupportAndUnalignedMemory) {
  alignas(16) char memory[32] = {};
  const ConvPoolProblem good = conv_pool_problem(1, 2, 2, 1, 1), bad = conv_pool_problem(1, 1, 2, 1, 1);
  EXPECT_THAT(conv_pool_forward(bad, DType::kF32, {}, nullptr).reason(), HasSubstr("window of 2 x 2"));
  EXPECT_THAT(conv_pool_backward_data(bad, DType::kF32, {}, nullptr).reason(), HasSubstr("window of 2 x 2"));
  EXPECT_THAT(conv_pool_backward_weights(bad, DType::kF32, {}, nullptr).reason(), HasSubstr("window of 2 x 2"));
  EXPECT_THAT(conv_pool_forward(good, DType::kF32, {.src = memory + 8}, nullptr).reason(), HasSubstr("aligned"));
  EXPECT_THAT(conv_pool_backward_data(good, DType::kF32, {.diff_dst = memory + 8}, nullptr).reason(),
              HasSubstr("aligned"));
  EXPECT_THAT(conv_pool_backward_weights(good, DType::kF32, {.src = memory + 8}, nullptr).reason(),
              HasSubstr("aligned"));
}

// --- memory requests

class ConvPoolTraffic : public KernelTest {};

template <class S, class T>
void everything(const Case& c) {
  const Data<S, T> data(c);
  forward(data);
  if (c.source == ConvPoolSource::kAsDst) backward_data(data, GradMode::kOverwrite);
  backward_weights(data, GradMode::kOverwrite);
}

void everything_on_tensor_cores() { everything<Bf16, Bf16>({1, 32, 32, 32, 64}); }
void everything_of_pixels() { everything<std::uint8_t, Bf16>({1, 32, 32, 3, 32, kRelu, kU8}); }
void everything_simt() { everything<float, float>({1, 32, 32, 32, 32}); }

TEST_F(ConvPoolTraffic, OfTensorCoresIsWhatTheBytesNeed) {
  expect_traffic("forward_tensor", {}, everything_on_tensor_cores);
  expect_traffic("wgrad_tensor", {}, everything_on_tensor_cores);
  expect_traffic("wgrad_reduce", {}, everything_on_tensor_cores);
  // A slab's 16 filters are one word of each pixel's argmax, K / 4 bytes apart.
  expect_traffic("dgrad_tensor", {.global_load = 1.08}, everything_on_tensor_cores);
}

TEST_F(ConvPoolTraffic, OfNarrowPicturesPaysForRowsThatBeginAnywhere) {
  // Rows of 54 bytes straddle sectors; a lane's eight biases are two loads; bytes of up to three rows share banks;
  // weights, once a block, are scattered to their columns one by one.
  expect_traffic("forward_narrow", {.global_load = 1.45, .shared_load = 1.15, .shared_store = 1.45},
                 everything_of_pixels);
  // Sums are put down for the other warps two columns apart, once a block: here a block has a single tile.
  expect_traffic("wgrad_narrow", {.shared_load = 1.45, .shared_store = 2.75}, everything_of_pixels);
}

TEST_F(ConvPoolTraffic, OfSimtIsWhatTheBytesNeed) {
  expect_traffic("forward_simt", {}, everything_simt);
  expect_traffic("wgrad_simt", {}, everything_simt);
  // The gradient is spread to pixels two apart: half of the banks. The argmax is a word for 16 filters, read 8 by 8.
  expect_traffic("dgrad_simt", {.global_load = 1.06, .shared_store = 1.65}, everything_simt);
}

}  // namespace
}  // namespace cudacards::testing
