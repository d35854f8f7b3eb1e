// Batch norm against host/ops/reference/batch_norm.h in double: exact where the numbers allow it, within a derived bound
// elsewhere, and the backward pass with forward's mask to the bit.

#include "kernels/batch_norm/batch_norm.h"

#include <gmock/gmock.h>

#include "host/ops/reference/batch_norm.h"
#include "kernels/batch_norm/slab.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/norm_numbers.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr auto kBatch = BatchNormStatistics::kBatch, kRunning = BatchNormStatistics::kRunning;

TEST(BatchNormSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(batch_norm_supports({}, DType::kF32));
  EXPECT_TRUE(batch_norm_supports({.rows = (std::int64_t{1} << 31) - 1, .channels = 1 << 20, .epsilon = 0}, DType::kBf16));
  EXPECT_THAT(batch_norm_supports({}, DType::kU8).reason(), HasSubstr("uint8"));
  for (const std::int64_t rows : {std::int64_t{0}, std::int64_t{1} << 31})
    EXPECT_THAT(batch_norm_supports({.rows = rows}, DType::kF32).reason(), HasSubstr("rows"));
  for (const int channels : {0, (1 << 20) + 1})
    EXPECT_THAT(batch_norm_supports({.channels = channels}, DType::kF32).reason(), HasSubstr("channels"));
  for (const float wrong : {-1e-9f, NAN})
    EXPECT_THAT(batch_norm_supports({.epsilon = wrong}, DType::kF32).reason(), HasSubstr("epsilon"));
  for (const float wrong : {-0.1f, 1.1f, NAN})
    EXPECT_THAT(batch_norm_supports({.momentum = wrong}, DType::kF32).reason(), HasSubstr("momentum"));
}

TEST(BatchNormProblem, CountsBytes) {
  const BatchNormProblem p{.rows = 10, .channels = 3};
  EXPECT_EQ(p.training_bytes(DType::kF32), 360);
  EXPECT_EQ(p.inference_bytes(DType::kBf16), 120);
  EXPECT_EQ(p.backward_bytes(DType::kBf16), 300);
  EXPECT_EQ(p.training_flops(), 255);
  EXPECT_EQ((FoldBatchNormProblem{.filters = 2, .per_filter = 9}.bytes(DType::kBf16)), 108);
}

TEST(BatchNormGeometry, EveryRowAndColumnHasOneBlock) {
  for (const int channels : {1, 3, 8, 12, 53, 128, 132, 264, 1280, 33792, 1 << 20}) {
    for (const std::int64_t rows : {1, 2, 31, 32, 33, 1000, 401408}) {
      for (const int blocks : {1, 7, 528}) {
        const int vector = batch_norm_vector(channels, DType::kF32);
        const SlabGeometry g = slab_geometry({.rows = rows, .channels = channels}, vector, blocks);
        EXPECT_EQ(g.vectors * vector, channels);
        EXPECT_GE(g.groups * g.columns, g.vectors);
        EXPECT_LT((g.groups - 1) * g.columns, g.vectors) << "an empty group";
        EXPECT_LE(g.columns, 32);
        EXPECT_TRUE(g.groups == 1 || g.columns % 2 == 0) << "a sector in two blocks";
        EXPECT_LE(g.lanes * g.columns, kBatchNormThreads);
        EXPECT_GE(g.slabs * g.rows_per_slab, rows);
        EXPECT_LT((g.slabs - 1) * g.rows_per_slab, rows) << "an empty slab";
        EXPECT_LE(g.slabs * g.groups, std::max(blocks, g.groups));
        EXPECT_TRUE(g.slabs == 1 || 2 * g.rows_per_slab >= g.lanes * kRowsAtOnce) << "hardly any work";
      }
    }
  }
  EXPECT_EQ(batch_norm_vector(12, DType::kBf16), 1);
  EXPECT_EQ(batch_norm_vector(16, DType::kBf16), 8);
}

TEST(BatchNormLauncher, RefusesWhatItCannotDo) {
  alignas(16) float memory[8] = {};
  EXPECT_EQ(batch_norm_workspace({.rows = 0}, DType::kF32), 0u);
  EXPECT_EQ(batch_norm_workspace({.rows = 2, .channels = 3}, DType::kF32), 2 * (1 + 1) * 3 * sizeof(float));
  EXPECT_THAT(batch_norm_training({.rows = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("training: rows"));
  EXPECT_THAT(batch_norm_inference({.rows = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("inference: rows"));
  EXPECT_THAT(batch_norm_backward({.rows = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("backward: rows"));
  for (int which = 0; which < 4; ++which) {
    const auto at = [&](int i) { return memory + (which == i); };
    if (which < 3) {
      EXPECT_THAT(
          batch_norm_training({}, DType::kF32, {.src = at(0), .dst = at(1), .workspace = at(2)}, nullptr).reason(),
          HasSubstr("aligned"));
    }
    if (which < 2) {
      EXPECT_THAT(batch_norm_inference({}, DType::kF32, {.src = at(0), .dst = at(1)}, nullptr).reason(),
                  HasSubstr("aligned"));
    }
    EXPECT_THAT(batch_norm_backward(
                    {}, DType::kF32,
                    {.src = at(0), .diff_dst = at(1), .diff_src = at(2), .workspace = at(3)}, nullptr)
                    .reason(),
                HasSubstr("aligned"));
  }
}

// --- running it

template <class T>
struct Forward {
  std::vector<T> dst;
  std::vector<float> mean, rstd, running_mean, running_variance;
};

template <class T>
struct Input {
  std::vector<T> src, diff_dst;
  std::vector<float> gamma, beta, mean, variance;

  static Input random(const BatchNormProblem& p) {
    const std::int64_t c = p.channels;
    return {random_numbers<T>(p.elements(), -2, 5, 41), random_numbers<T>(p.elements(), -1, 1, 42),
            random_numbers<float>(c, -2, 3, 43),        random_numbers<float>(c, -1, 3, 44),
            random_numbers<float>(c, -1, 3, 45),        random_numbers<float>(c, 0.5f, 4, 46)};
  }
  /// Every product and sum is exact in fp32, values lie on and beyond the activations' bounds.
  static Input integers(const BatchNormProblem& p) {
    const std::int64_t c = p.channels;
    Input in{random_integers<T>(p.elements(), -3, 3, 51), random_integers<T>(p.elements(), -2, 2, 52),
             random_integers<float>(c, 1, 2, 53),         random_integers<float>(c, -1, 3, 54),
             random_integers<float>(c, -1, 1, 55),        random_integers<float>(c, 0, 1, 56)};
    for (float& variance : in.variance) variance = variance == 0.0f ? 0.25f : 1.0f;  // rstd 2 or 1 without epsilon
    return in;
  }
};

enum class Place { kApart, kInPlace };
enum class Average { kNo, kYes };

template <class T>
Forward<T> train(const BatchNormProblem& p, const Input<T>& in, Average average = Average::kYes,
                 Place place = Place::kApart) {
  const auto channels = static_cast<std::size_t>(p.channels);
  DeviceArray<T> src(in.src, "src"), dst(in.src.size(), "dst");
  DeviceArray<float> gamma(in.gamma, "gamma"), beta(in.beta, "beta"), mean(channels, "saved_mean"),
      rstd(channels, "saved_rstd"), running_mean(in.mean, "running_mean"), running_variance(in.variance, "variance");
  DeviceArray<std::byte> workspace(batch_norm_workspace(p, kTypeOf<T>), "workspace");
  T* to = place == Place::kApart ? dst.data() : src.data();
  const bool averages = average == Average::kYes;
  CUDACARDS_EXPECT_RUNS(batch_norm_training(p, kTypeOf<T>,
                                            {.src = src.data(),
                                             .gamma = gamma.data(),
                                             .beta = beta.data(),
                                             .dst = to,
                                             .saved_mean = mean.data(),
                                             .saved_rstd = rstd.data(),
                                             .running_mean = averages ? running_mean.data() : nullptr,
                                             .running_variance = averages ? running_variance.data() : nullptr,
                                             .workspace = workspace.data()},
                                            nullptr));
  return {place == Place::kApart ? dst.read() : src.read(), mean.read(), rstd.read(), running_mean.read(),
          running_variance.read()};
}

template <class T>
std::vector<T> infer(const BatchNormProblem& p, const Input<T>& in, Place place = Place::kApart) {
  DeviceArray<T> src(in.src, "src"), dst(in.src.size(), "dst");
  DeviceArray<float> gamma(in.gamma, "gamma"), beta(in.beta, "beta"), mean(in.mean, "mean"),
      variance(in.variance, "variance");
  CUDACARDS_EXPECT_RUNS(batch_norm_inference(p, kTypeOf<T>,
                                             {.src = src.data(),
                                              .gamma = gamma.data(),
                                              .beta = beta.data(),
                                              .mean = mean.data(),
                                              .variance = variance.data(),
                                              .dst = place == Place::kApart ? dst.data() : src.data()},
                                             nullptr));
  return place == Place::kApart ? dst.read() : src.read();
}

struct Modes {
  GradMode src = GradMode::kOverwrite, parameters = GradMode::kOverwrite;
  Place place = Place::kApart;
  bool gamma = true, beta = true;
};

template <class T>
struct Backward {
  std::vector<T> diff_src;
  std::vector<float> diff_gamma, diff_beta;
};

constexpr float kBefore = 3.0f;  // in every gradient before the launch

template <class T>
Backward<T> differentiate(const BatchNormProblem& p, const Input<T>& in, BatchNormStatistics statistics,
                          const std::vector<float>& mean, const std::vector<float>& spread, const Modes& modes = {}) {
  DeviceArray<T> src(in.src, "src"), diff_dst(in.diff_dst, "diff_dst"),
      diff_src(std::vector<T>(in.src.size(), T(kBefore)), "diff_src");
  const std::vector<float> before(in.gamma.size(), kBefore);
  DeviceArray<float> gamma(in.gamma, "gamma"), beta(in.beta, "beta"), device_mean(mean, "mean"),
      device_spread(spread, "spread"), diff_gamma(before, "diff_gamma"), diff_beta(before, "diff_beta");
  DeviceArray<std::byte> workspace(batch_norm_workspace(p, kTypeOf<T>), "workspace");
  CUDACARDS_EXPECT_RUNS(
      batch_norm_backward(p, kTypeOf<T>,
                          {.src = src.data(),
                           .diff_dst = diff_dst.data(),
                           .gamma = gamma.data(),
                           .beta = beta.data(),
                           .mean = device_mean.data(),
                           .spread = device_spread.data(),
                           .statistics = statistics,
                           .diff_src = modes.place == Place::kApart ? diff_src.data() : diff_dst.data(),
                           .diff_gamma = modes.gamma ? diff_gamma.data() : nullptr,
                           .diff_beta = modes.beta ? diff_beta.data() : nullptr,
                           .diff_src_mode = modes.src,
                           .diff_parameters_mode = modes.parameters,
                           .workspace = workspace.data()},
                          nullptr));
  return {modes.place == Place::kApart ? diff_src.read() : diff_dst.read(), diff_gamma.read(), diff_beta.read()};
}

template <class... Values>
Bytes joined(const std::vector<Values>&... values) {
  Bytes all;
  const auto append = [&](const auto& some) {
    const auto* begin = reinterpret_cast<const std::byte*>(some.data());
    all.insert(all.end(), begin, begin + some.size() * sizeof some[0]);
  };
  (append(values), ...);
  return all;
}

// --- the reference in double

struct Statistics {
  std::vector<double> mean, rstd, variance;
  reference::ChannelStatistics view() { return {mean.data(), rstd.data()}; }
};

template <class T>
Statistics of_batch(const BatchNormProblem& p, const Input<T>& in) {
  const auto channels = static_cast<std::size_t>(p.channels);
  Statistics s{std::vector<double>(channels), std::vector<double>(channels), std::vector<double>(channels)};
  reference::batch_statistics(p.rows, p.channels, in_double(in.src).data(), static_cast<double>(p.epsilon), s.view(),
                              s.variance.data());
  return s;
}

Statistics as_given(const BatchNormProblem& p, BatchNormStatistics kind, const std::vector<float>& mean,
                    const std::vector<float>& spread) {
  Statistics s{in_double(mean), in_double(spread), {}};
  if (kind == kBatch) return s;
  for (double& x : s.rstd) x = 1 / std::sqrt(x + static_cast<double>(p.epsilon));
  return s;
}

/// The normalised values. Statistics carry an error of sqrt(rows) units, of the mean against the mean's size.
template <class T>
Bounded forward_of(const BatchNormProblem& p, const Input<T>& in, Statistics s, double terms) {
  const auto src = in_double(in.src), gamma = in_double(in.gamma), beta = in_double(in.beta);
  Bounded dst{std::vector<double>(src.size()), {}, terms};
  reference::batch_norm_forward(p.rows, p.channels, src.data(), s.view(), gamma.data(), beta.data(), p.activation,
                                dst.value.data());
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % in.gamma.size();
    const double normal = std::abs(src[i] - s.mean[c]) + std::abs(s.mean[c]);
    dst.magnitude.push_back(std::abs(gamma[c]) * s.rstd[c] * normal + std::abs(beta[c]));
  }
  return dst;
}

struct ExpectedGradients {
  Bounded diff_src, diff_gamma, diff_beta;
};

/// `dst` is what the device's forward pass wrote: its mask is the one to find again.
template <class T>
ExpectedGradients backward_of(const BatchNormProblem& p, const Input<T>& in, const std::vector<T>& dst, Statistics s,
                              BatchNormStatistics kind, GradMode mode = GradMode::kOverwrite) {
  const auto src = in_double(in.src), gamma = in_double(in.gamma), y = in_double(dst), g = in_double(in.diff_dst);
  const std::size_t channels = in.gamma.size();
  const auto rows = static_cast<double>(p.rows);
  const auto sums = [&](double of) { return Bounded{std::vector<double>(channels, of), std::vector<double>(channels), rows}; };
  ExpectedGradients e{{std::vector<double>(src.size(), double{kBefore}), {}, rows}, sums(0), sums(0)};
  reference::batch_norm_backward_sums(p.rows, p.channels, src.data(), y.data(), g.data(), s.view(), p.activation,
                                      e.diff_gamma.value.data(), e.diff_beta.value.data());
  reference::batch_norm_backward_data(
      p.rows, p.channels, src.data(), y.data(), g.data(), s.view(),
      kind == kBatch ? reference::StatisticsSource::kBatch : reference::StatisticsSource::kRunning, p.activation,
      gamma.data(), e.diff_gamma.value.data(), e.diff_beta.value.data(), mode, e.diff_src.value.data());
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % channels;
    e.diff_beta.magnitude[c] += std::abs(g[i]);
    e.diff_gamma.magnitude[c] += std::abs(g[i] * (src[i] - s.mean[c]) * s.rstd[c]);
  }
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % channels;
    const double normal = std::abs(src[i] - s.mean[c]) * s.rstd[c];
    const double sums_share = (e.diff_beta.magnitude[c] + normal * e.diff_gamma.magnitude[c]) / rows;
    e.diff_src.magnitude.push_back(std::abs(gamma[c]) * s.rstd[c] *
                                   (std::abs(g[i]) + (kind == kBatch ? sums_share : 0)));
  }
  return e;
}

// --- the tables

std::string name_of_case(const ::testing::TestParamInfo<BatchNormProblem>& info) {
  return std::to_string(info.param.rows) + "x" + std::to_string(info.param.channels) + name_of(info.param.activation);
}

class BatchNormKernel : public KernelTest, public ::testing::WithParamInterface<BatchNormProblem> {};

// Vector counts 3, 13 and 40 in a group; one and several slabs and groups; more slabs than the second step has lanes;
// odd channel counts element by element; the last slab and the last four rows ragged.
INSTANTIATE_TEST_SUITE_P(
    Shapes, BatchNormKernel,
    ::testing::Values(BatchNormProblem{.rows = 1, .channels = 1}, BatchNormProblem{2, 3, 1e-3f, 0.99f, Activation::kRelu},
                      BatchNormProblem{5, 53, 1e-3f, 0.9f, Activation::kRelu6},
                      BatchNormProblem{98, 16, 1e-3f, 0.99f, Activation::kRelu6}, BatchNormProblem{.rows = 18, .channels = 1280},
                      BatchNormProblem{130, 24, 1e-3f, 0.99f, Activation::kRelu},
                      BatchNormProblem{33, 320, 1e-5f, 0.99f, Activation::kRelu6},
                      BatchNormProblem{650, 128, 1e-3f, 0.99f, Activation::kRelu},
                      BatchNormProblem{700, 3, 1e-3f, 0.99f, Activation::kRelu6},
                      BatchNormProblem{2100, 1, 1e-3f, 0.99f, Activation::kRelu},
                      BatchNormProblem{257, 104, 1e-3f, 0.5f, Activation::kRelu6}),
    name_of_case);

/// value rounded to float and back, for a running average.
std::vector<double> averaged(const BatchNormProblem& p, const std::vector<float>& running,
                             const std::vector<double>& batch) {
  std::vector<double> result;
  const auto momentum = static_cast<double>(p.momentum);
  for (std::size_t c = 0; c < batch.size(); ++c)
    result.push_back(momentum * static_cast<double>(running[c]) + (1 - momentum) * batch[c]);
  return result;
}

template <class T>
void expect_training(const BatchNormProblem& p, const Input<T>& in, const Forward<T>& actual) {
  const Statistics s = of_batch(p, in);
  const auto rows = static_cast<double>(p.rows);
  const double unit = std::ldexp(1.0, -24);
  Bounded mean{s.mean, std::vector<double>(s.mean.size()), rows}, rstd{s.rstd, {}, rows}, variance{s.variance, {}, rows};
  for (std::size_t i = 0; i < in.src.size(); ++i)
    mean.magnitude[i % in.gamma.size()] += std::abs(static_cast<double>(static_cast<float>(in.src[i]))) / rows;
  for (std::size_t c = 0; c < s.mean.size(); ++c) {
    // A mean that is off by d adds d * d to each squared deviation, and nothing in the first order.
    variance.magnitude.push_back(2 * s.variance[c] + rows * unit * mean.magnitude[c] * mean.magnitude[c]);
    rstd.magnitude.push_back(s.rstd[c] * variance.magnitude[c] / (s.variance[c] + static_cast<double>(p.epsilon)));
  }
  EXPECT_TRUE(within_bound(actual.mean, mean, DType::kF32, 1)) << "mean";
  EXPECT_TRUE(within_bound(actual.rstd, rstd, DType::kF32, 1)) << "rstd";
  EXPECT_TRUE(within_bound(in_float(actual.dst), forward_of(p, in, s, rows), kTypeOf<T>, 2)) << "dst";
  for (std::size_t c = 0; c < s.mean.size(); ++c) {
    mean.magnitude[c] += std::abs(static_cast<double>(in.mean[c]));
    variance.magnitude[c] += static_cast<double>(in.variance[c]);
  }
  mean.value = averaged(p, in.mean, s.mean);
  variance.value = averaged(p, in.variance, s.variance);
  EXPECT_TRUE(within_bound(actual.running_mean, mean, DType::kF32, 1)) << "running mean";
  EXPECT_TRUE(within_bound(actual.running_variance, variance, DType::kF32, 1)) << "running variance";
}

template <class T>
void expect_training(const BatchNormProblem& p) {
  const auto in = Input<T>::random(p);
  Forward<T> actual;
  const Bytes bytes = in_every_order([&] {
    actual = train(p, in);
    return joined(actual.dst, actual.mean, actual.rstd, actual.running_mean, actual.running_variance);
  });
  expect_training(p, in, actual);
  const Forward<T> other = train(p, in, Average::kNo, Place::kInPlace);
  EXPECT_EQ(joined(other.dst, other.mean, other.rstd), joined(actual.dst, actual.mean, actual.rstd));
  EXPECT_EQ(other.running_mean, in.mean);
  EXPECT_EQ(other.running_variance, in.variance);
}

TEST_P(BatchNormKernel, TrainsWithTheBatchsStatistics) {
  expect_training<float>(GetParam());
  expect_training<Bf16>(GetParam());
}

template <class T>
void expect_inference(BatchNormProblem p) {
  auto in = Input<T>::random(p);
  std::vector<T> dst;
  in_every_order([&] { return joined(dst = infer(p, in)); });
  EXPECT_TRUE(within_bound(in_float(dst), forward_of(p, in, as_given(p, kRunning, in.mean, in.variance), 16),
                           kTypeOf<T>, 2));
  EXPECT_EQ(joined(infer(p, in, Place::kInPlace)), joined(dst));

  p.epsilon = 0;
  in = Input<T>::integers(p);
  const Bounded exactly = forward_of(p, in, as_given(p, kRunning, in.mean, in.variance), 1);
  EXPECT_TRUE(exact(in_float(infer(p, in)), exactly.value, kTypeOf<T>));
}

TEST_P(BatchNormKernel, InfersWithTheRunningStatistics) {
  expect_inference<float>(GetParam());
  expect_inference<Bf16>(GetParam());
}

template <class T>
void expect_bounded_gradients(const BatchNormProblem& p, BatchNormStatistics kind) {
  const auto in = Input<T>::random(p);
  const Forward<T> forward = kind == kBatch ? train(p, in) : Forward<T>{infer(p, in), in.mean, in.variance, {}, {}};
  const auto expected = backward_of(p, in, forward.dst, as_given(p, kind, forward.mean, forward.rstd), kind);
  Backward<T> actual;
  const Bytes bytes = in_every_order([&] {
    actual = differentiate(p, in, kind, forward.mean, forward.rstd);
    return joined(actual.diff_src, actual.diff_gamma, actual.diff_beta);
  });
  EXPECT_TRUE(within_bound(actual.diff_gamma, expected.diff_gamma, DType::kF32, 2)) << "diff_gamma";
  EXPECT_TRUE(within_bound(actual.diff_beta, expected.diff_beta, DType::kF32, 2)) << "diff_beta";
  EXPECT_TRUE(within_bound(in_float(actual.diff_src), expected.diff_src, kTypeOf<T>, 2)) << "diff_src";
  const auto in_place = differentiate(p, in, kind, forward.mean, forward.rstd, {.place = Place::kInPlace});
  EXPECT_EQ(joined(in_place.diff_src, in_place.diff_gamma, in_place.diff_beta), bytes);
}

TEST_P(BatchNormKernel, HasBoundedGradients) {
  for (const auto kind : {kBatch, kRunning}) {
    expect_bounded_gradients<float>(GetParam(), kind);
    expect_bounded_gradients<Bf16>(GetParam(), kind);
  }
}

/// Saved statistics needn't be src's: integers make every step exact where rows is a power of two.
template <class T>
void expect_exact_gradients(BatchNormProblem p, BatchNormStatistics kind) {
  p.epsilon = 0;
  const auto in = Input<T>::integers(p);
  const std::vector<T> dst = infer(p, in);
  std::vector<float> spread = in.variance;
  if (kind == kBatch)
    for (float& x : spread) x = 1 / std::sqrt(x);
  for (const GradMode mode : {GradMode::kOverwrite, GradMode::kAccumulate}) {
    auto expected = backward_of(p, in, dst, as_given(p, kind, in.mean, spread), kind, mode);
    if (mode == GradMode::kAccumulate) {
      for (double& x : expected.diff_gamma.value) x += double{kBefore};
      for (double& x : expected.diff_beta.value) x += double{kBefore};
    }
    const auto actual = differentiate(p, in, kind, in.mean, spread, {.src = mode, .parameters = mode});
    EXPECT_TRUE(exact(actual.diff_gamma, expected.diff_gamma.value, DType::kF32)) << "diff_gamma";
    EXPECT_TRUE(exact(actual.diff_beta, expected.diff_beta.value, DType::kF32)) << "diff_beta";
    if (kind == kBatch && (p.rows & (p.rows - 1)) != 0) continue;
    EXPECT_TRUE(exact(in_float(actual.diff_src), expected.diff_src.value, kTypeOf<T>)) << "diff_src";
    EXPECT_TRUE(trusted(expected.diff_src.value));
  }
}

TEST_P(BatchNormKernel, HasExactGradients) {
  for (const std::int64_t rows : {GetParam().rows, std::int64_t{64}}) {
    BatchNormProblem p = GetParam();
    p.rows = rows;
    for (const auto kind : {kBatch, kRunning}) {
      expect_exact_gradients<float>(p, kind);
      expect_exact_gradients<Bf16>(p, kind);
    }
  }
}

// --- shapes so wide that a thread walks down its slab in several steps

class BatchNormWide : public KernelTest, public ::testing::WithParamInterface<BatchNormProblem> {};

INSTANTIATE_TEST_SUITE_P(Shapes, BatchNormWide,
                         ::testing::Values(BatchNormProblem{40, 16897, 1e-3f, 0.99f, Activation::kRelu6},
                                           BatchNormProblem{70, 33792, 1e-3f, 0.99f, Activation::kRelu}),
                         name_of_case);

TEST_P(BatchNormWide, IsTheSame) {
  const BatchNormProblem& p = GetParam();
  ASSERT_GT(reduce_geometry(p, batch_norm_vector(p.channels, DType::kF32)).rows_per_slab,
            reduce_geometry(p, batch_norm_vector(p.channels, DType::kF32)).lanes * kRowsAtOnce);
  const auto in = Input<float>::random(p);
  const Forward<float> forward = train(p, in);
  expect_training(p, in, forward);
  const auto expected = backward_of(p, in, forward.dst, as_given(p, kBatch, forward.mean, forward.rstd), kBatch);
  const auto actual = differentiate(p, in, kBatch, forward.mean, forward.rstd);
  EXPECT_TRUE(within_bound(actual.diff_gamma, expected.diff_gamma, DType::kF32, 2));
  EXPECT_TRUE(within_bound(actual.diff_beta, expected.diff_beta, DType::kF32, 2));
  EXPECT_TRUE(within_bound(actual.diff_src, expected.diff_src, DType::kF32, 2));
}

// --- by itself

class BatchNormValues : public KernelTest {};

TEST_F(BatchNormValues, AMeanFarFromZeroCostsNoDigits) {
  const BatchNormProblem p{.rows = 1000, .channels = 8, .epsilon = 0};
  auto in = Input<float>::random(p);
  in.src = random_integers<float>(p.elements(), 60000, 60003, 47);
  expect_training(p, in, train(p, in));  // a sum of squares would have no digit of the variance, 1.25
}

TEST_F(BatchNormValues, AnOutlierInTheFirstRowCostsNoDigits) {
  const BatchNormProblem p{.rows = 2000, .channels = 3, .epsilon = 0};
  auto in = Input<float>::random(p);
  for (std::size_t c = 0; c < 3; ++c) in.src[c] = 1e4f;
  expect_training(p, in, train(p, in));
}

TEST_F(BatchNormValues, AChannelThatIsConstantBecomesBeta) {
  const BatchNormProblem p{.rows = 100, .channels = 5};
  auto in = Input<float>::random(p);
  in.src.assign(in.src.size(), 2.5f);
  const auto result = train(p, in);
  for (std::size_t i = 0; i < result.dst.size(); ++i) ASSERT_EQ(result.dst[i], in.beta[i % 5]);
  EXPECT_THAT(result.rstd, Each(1 / std::sqrt(p.epsilon)));
}

template <class T>
void expect_nan_in_its_channel() {
  for (const int channels : {5, 16}) {
    const auto n = static_cast<std::size_t>(channels);
    const BatchNormProblem p{.rows = 9, .channels = channels, .activation = Activation::kRelu6};
    auto in = Input<T>::random(p);
    in.src[3 * n + 2] = T(NAN);
    const auto forward = train(p, in);
    const auto backward = differentiate(p, in, kBatch, forward.mean, forward.rstd);
    const auto inferred = infer(p, in);
    for (std::size_t i = 0; i < forward.dst.size(); ++i) {
      ASSERT_EQ(std::isnan(static_cast<float>(forward.dst[i])), i % n == 2) << i;
      ASSERT_EQ(std::isnan(static_cast<float>(backward.diff_src[i])), i % n == 2) << i;
      ASSERT_EQ(std::isnan(static_cast<float>(inferred[i])), i == 3 * n + 2) << i;
    }
  }
}

TEST_F(BatchNormValues, ANanStaysInItsChannelAndShows) {
  expect_nan_in_its_channel<float>();
  expect_nan_in_its_channel<Bf16>();
}

TEST_F(BatchNormValues, GradientsThatAreNotWantedAreLeftAlone) {
  const BatchNormProblem p{.rows = 20, .channels = 8};
  const auto in = Input<float>::random(p);
  for (const auto kind : {kBatch, kRunning}) {
    const auto all = differentiate(p, in, kind, in.mean, in.variance);
    const auto run = [&](const Modes& modes) { return differentiate(p, in, kind, in.mean, in.variance, modes); };
    const auto data_only = run({.parameters = GradMode::kIgnore});
    EXPECT_EQ(data_only.diff_src, all.diff_src);
    EXPECT_THAT(data_only.diff_gamma, Each(kBefore));
    EXPECT_THAT(data_only.diff_beta, Each(kBefore));
    const auto parameters_only = run({.src = GradMode::kIgnore});
    EXPECT_THAT(parameters_only.diff_src, Each(kBefore));
    EXPECT_EQ(parameters_only.diff_gamma, all.diff_gamma);
    EXPECT_EQ(parameters_only.diff_beta, all.diff_beta);
    const auto gamma_only = run({.beta = false});
    EXPECT_EQ(gamma_only.diff_gamma, all.diff_gamma);
    EXPECT_THAT(gamma_only.diff_beta, Each(kBefore));
    const auto beta_only = run({.gamma = false});
    EXPECT_EQ(beta_only.diff_beta, all.diff_beta);
    EXPECT_THAT(beta_only.diff_gamma, Each(kBefore));
    const auto none = run({.src = GradMode::kIgnore, .parameters = GradMode::kIgnore});
    EXPECT_THAT(none.diff_src, Each(kBefore));
    EXPECT_THAT(none.diff_gamma, Each(kBefore));
  }
}

template <class T>
void run_all(const BatchNormProblem& p) {
  const auto in = Input<T>::random(p);
  const auto forward = train(p, in);
  infer(p, in);
  differentiate(p, in, kBatch, forward.mean, forward.rstd, {.src = GradMode::kAccumulate});
  differentiate(p, in, kRunning, in.mean, in.variance);
}

TEST_F(BatchNormValues, MemoryTrafficIsWhatTheBytesNeed) {
  expect_traffic("batch_norm", {}, [] {
    for (const BatchNormProblem& p : {BatchNormProblem{.rows = 300, .channels = 64}, BatchNormProblem{.rows = 140, .channels = 320}}) {
      run_all<float>(p);
      run_all<Bf16>(p);
    }
  });
}

}  // namespace
}  // namespace cudacards::testing
