// Convolution + bias + pool + activation in one kernel, and its gradients from the pooled ones, against double.

#include "kernels/conv_pool/conv_pool.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/kernels/support/conv_pool_reference.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

struct Case {
  int n, h, w, c, k;
  Activation activation = Activation::kRelu;
  ConvPoolSource source = ConvPoolSource::kAsDst;
  float scale = 1;

  ConvPoolProblem problem() const {
    ConvPoolProblem p = conv_pool_problem(n, h, w, c, k, activation);
    p.source = source;
    p.scale = scale;
    return p;
  }
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.n << "x" << c.h << "x" << c.w << "x" << c.c << "->" << c.k << " " << name_of(c.activation)
               << (c.source == ConvPoolSource::kU8 ? " from uint8" : "");
  }
};

constexpr Activation kNone = Activation::kNone, kRelu6 = Activation::kRelu6, kRelu = Activation::kRelu;
constexpr ConvPoolSource kU8 = ConvPoolSource::kU8;

// One window, exact tiles (16 x 16 pixels; 8 x 16 in the gradient of the weights), a tile and a bit in every direction,
// odd sizes, the CNN's channels, several slabs of channels and filters, primes.
const Case kCases[] = {
    {1, 2, 2, 1, 1, kNone},
    {1, 3, 2, 16, 8},
    {1, 16, 16, 16, 64, kNone},
    {2, 18, 18, 16, 16, kRelu6},
    {1, 17, 35, 32, 72},
    {1, 8, 8, 64, 128},
    {2, 5, 7, 48, 24, kRelu6},
    {1, 6, 4, 40, 136, kNone},
    {1, 16, 18, 3, 32, kRelu},
    {1, 7, 19, 53, 33},
    {3, 4, 5, 7, 13, kNone},
    {1, 20, 4, 2, 40, kRelu6},
    {1, 16, 16, 3, 32, kRelu, kU8, 0.25f},
    {2, 9, 35, 3, 40, kNone, kU8},
    {1, 5, 18, 4, 8, kRelu6, kU8, 0.5f},
    {1, 6, 34, 1, 7, kRelu, kU8},
    {1, 4, 4, 16, 16, kNone, kU8},
};

template <class T>
constexpr DType kType = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

/// Of -range ... range, neither constant nor regular.
template <class T>
std::vector<T> integers(std::size_t count, int range, std::uint32_t seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    const int x = int(seed >> 16) % (2 * range + 1) - range;
    if constexpr (std::is_integral_v<T>) {
      value = T(x + range);
    } else {
      value = T(float(x));
    }
  }
  return values;
}

template <class T>
std::vector<T> reals(std::size_t count, std::uint32_t seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = T(float(seed >> 8) / float(1 << 23) - 1.0f);
  }
  return values;
}

template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  std::vector<double> result;
  for (const T& value : values) result.push_back(double(float(value)));
  return result;
}
template <class T>
std::vector<float> floats(const std::vector<T>& values) {
  std::vector<float> result;
  for (const T& value : values) result.push_back(float(value));
  return result;
}

/// What one problem needs, forward and backward. S: uint8 or T. The backward passes are given a result and winners of
/// their own, so that each is tested by itself.
template <class S, class T>
struct Data {
  ConvPoolProblem p;
  std::vector<S> src;
  std::vector<T> weights, diff_dst, dst, old_src;
  std::vector<float> bias, old_weights, old_bias;
  std::vector<std::uint32_t> argmax;

  explicit Data(const Case& c) : p(c.problem()) {
    const auto pooled = std::size_t(p.dst_elements());
    src = integers<S>(std::size_t(p.conv.src_elements()), 3, 1);
    weights = integers<T>(std::size_t(p.conv.weight_elements()), 2, 2);
    bias = integers<float>(std::size_t(p.conv.k), 3, 3);
    diff_dst = integers<T>(pooled, 3, 4);
    dst = integers<T>(pooled, 7, 5);
    old_src = integers<T>(src.size(), 5, 6);
    old_weights = integers<float>(weights.size(), 5, 7);
    old_bias = integers<float>(bias.size(), 5, 8);
    argmax.resize(std::size_t(p.argmax_words()));
    std::uint32_t seed = 9;
    for (std::uint32_t& word : argmax) word = seed = seed * 1664525u + 1013904223u;
  }
  void make_real() {
    if constexpr (!std::is_integral_v<S>) src = reals<S>(src.size(), 11);
    weights = reals<T>(weights.size(), 12);
    bias = reals<float>(bias.size(), 13);
    diff_dst = reals<T>(diff_dst.size(), 14);
  }
};

template <class T>
struct Pooled {
  std::vector<T> dst;
  std::vector<std::uint32_t> argmax;
  bool operator==(const Pooled& other) const {
    return argmax == other.argmax && std::memcmp(dst.data(), other.dst.data(), dst.size() * sizeof(T)) == 0;
  }
};

template <class S, class T>
Pooled<T> forward(const Data<S, T>& data) {
  DeviceArray<S> src(data.src, "src");
  DeviceArray<T> weights(data.weights, "weights"), dst(std::size_t(data.p.dst_elements()), "dst");
  DeviceArray<float> bias(data.bias, "bias");
  DeviceArray<std::uint32_t> argmax(std::size_t(data.p.argmax_words()), "argmax");
  CUDACARDS_EXPECT_RUNS(conv_pool_forward(
      data.p, kType<T>,
      {.src = src.data(), .weights = weights.data(), .bias = bias.data(), .dst = dst.data(), .argmax = argmax.data()},
      nullptr));
  return {dst.read(), argmax.read()};
}

template <class S, class T>
std::vector<float> backward_data(const Data<S, T>& data, GradMode mode) {
  DeviceArray<T> diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst"), weights(data.weights, "weights");
  DeviceArray<T> diff_src(data.src.size(), "diff_src");
  DeviceArray<std::uint32_t> argmax(data.argmax, "argmax");
  if (mode != GradMode::kOverwrite) diff_src.write(data.old_src);
  CUDACARDS_EXPECT_RUNS(conv_pool_backward_data(data.p, kType<T>,
                                                {.diff_dst = diff_dst.data(),
                                                 .dst = dst.data(),
                                                 .argmax = argmax.data(),
                                                 .weights = weights.data(),
                                                 .mode = mode,
                                                 .diff_src = diff_src.data()},
                                                nullptr));
  return floats(diff_src.read());
}

enum class WithBias : bool { kNo, kYes };

/// diff_weights, then diff_bias where it is wanted.
template <class S, class T>
std::vector<float> backward_weights(const Data<S, T>& data, GradMode mode, WithBias with_bias = WithBias::kYes) {
  DeviceArray<S> src(data.src, "src");
  DeviceArray<T> diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst");
  DeviceArray<std::uint32_t> argmax(data.argmax, "argmax");
  DeviceArray<float> diff_weights(data.weights.size(), "diff_weights"), diff_bias(data.bias.size(), "diff_bias");
  DeviceArray<float> workspace(conv_pool_workspace_bytes(data.p, kType<T>) / sizeof(float), "workspace");
  if (mode != GradMode::kOverwrite) {
    diff_weights.write(data.old_weights);
    diff_bias.write(data.old_bias);
  }
  CUDACARDS_EXPECT_RUNS(
      conv_pool_backward_weights(data.p, kType<T>,
                                 {.src = src.data(),
                                  .diff_dst = diff_dst.data(),
                                  .dst = dst.data(),
                                  .argmax = argmax.data(),
                                  .mode = mode,
                                  .diff_weights = diff_weights.data(),
                                  .diff_bias = with_bias == WithBias::kYes ? diff_bias.data() : nullptr,
                                  .workspace = workspace.data()},
                                 nullptr));
  std::vector<float> result = diff_weights.read();
  if (with_bias == WithBias::kYes) {
    const std::vector<float> rest = diff_bias.read();
    result.insert(result.end(), rest.begin(), rest.end());
  }
  return result;
}

template <class S, class T>
ConvGradients gradients(const Data<S, T>& data) {
  const auto diff = spread_reference(data.p, doubles(data.diff_dst), doubles(data.dst), data.argmax);
  return conv_gradients_reference(data.p, doubles(data.src), doubles(data.weights), diff);
}

/// Value and magnitude of the weights' gradient and the bias', one after the other.
Bounded joined(const Bounded& a, const Bounded& b) {
  Bounded both = a;
  both.value.insert(both.value.end(), b.value.begin(), b.value.end());
  both.magnitude.insert(both.magnitude.end(), b.magnitude.begin(), b.magnitude.end());
  return both;
}

std::vector<double> sum(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

template <class S, class T>
void expect_exact_forward(const Case& c) {
  const Data<S, T> data(c);
  const auto expected = conv_pool_reference<T>(data.p, doubles(data.src), doubles(data.weights), doubles(data.bias));
  const Pooled<T> actual = in_every_order([&] { return forward(data); });
  EXPECT_TRUE(exact(floats(actual.dst), expected.dst.value, kType<T>)) << c << " " << name_of(kType<T>);
  EXPECT_EQ(actual.argmax, expected.argmax) << c << " " << name_of(kType<T>);
  EXPECT_TRUE(trusted(expected.dst.value)) << c;
}

template <class S, class T>
void expect_exact_backward(const Case& c) {
  const Data<S, T> data(c);
  const ConvGradients expected = gradients(data);
  if (data.p.source == ConvPoolSource::kAsDst) {
    EXPECT_TRUE(
        exact(in_every_order([&] { return backward_data(data, GradMode::kOverwrite); }), expected.src.value, kType<T>))
        << c << " " << name_of(kType<T>);
    EXPECT_TRUE(
        exact(backward_data(data, GradMode::kAccumulate), sum(expected.src.value, doubles(data.old_src)), kType<T>))
        << c << " " << name_of(kType<T>);
    EXPECT_TRUE(trusted(expected.src.value)) << c;
  }
  const Bounded parameters = joined(expected.weights, expected.bias);
  EXPECT_TRUE(exact(in_every_order([&] { return backward_weights(data, GradMode::kOverwrite); }), parameters.value,
                    DType::kF32))
      << c << " " << name_of(kType<T>);
  const Bounded old = joined({doubles(data.old_weights), {}}, {doubles(data.old_bias), {}});
  EXPECT_TRUE(exact(backward_weights(data, GradMode::kAccumulate), sum(parameters.value, old.value), DType::kF32))
      << c << " " << name_of(kType<T>);
  EXPECT_TRUE(trusted(parameters.value)) << c;
}

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
