// Batch norm against host/ops/reference/batch_norm.h in double: exact where the numbers allow it, within a derived
// bound elsewhere, and the backward pass with forward's mask to the bit.

#include <gmock/gmock.h>

#include "kernels/batch_norm/slab.h"
#include "tests/kernels/support/batch_norm_case.h"
#include "tests/kernels/support/model_problems.h"

namespace cudacards::testing::batch_norm {
namespace {

using ::testing::Each;

std::string name_of_case(const ::testing::TestParamInfo<BatchNormProblem>& info) {
  return std::to_string(info.param.rows) + "x" + std::to_string(info.param.channels) + name_of(info.param.activation);
}

class BatchNormKernel : public KernelTest, public ::testing::WithParamInterface<BatchNormProblem> {};

// Vector counts 3, 13 and 40 in a group; one and several slabs and groups; more slabs than the second step has lanes;
// odd channel counts element by element; the last slab and the last four rows ragged.
INSTANTIATE_TEST_SUITE_P(Shapes, BatchNormKernel,
                         ::testing::Values(BatchNormProblem{.rows = 1, .channels = 1},
                                           BatchNormProblem{2, 3, 1e-3f, 0.99f, Activation::kRelu},
                                           BatchNormProblem{5, 53, 1e-3f, 0.9f, Activation::kRelu6},
                                           BatchNormProblem{98, 16, 1e-3f, 0.99f, Activation::kRelu6},
                                           BatchNormProblem{.rows = 18, .channels = 1280},
                                           BatchNormProblem{130, 24, 1e-3f, 0.99f, Activation::kRelu},
                                           BatchNormProblem{33, 320, 1e-5f, 0.99f, Activation::kRelu6},
                                           BatchNormProblem{650, 128, 1e-3f, 0.99f, Activation::kRelu},
                                           BatchNormProblem{700, 3, 1e-3f, 0.99f, Activation::kRelu6},
                                           BatchNormProblem{2100, 1, 1e-3f, 0.99f, Activation::kRelu},
                                           BatchNormProblem{257, 104, 1e-3f, 0.5f, Activation::kRelu6}),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Models, BatchNormKernel, ::testing::ValuesIn(problems_of(model_problems().batch_norm)),
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
  Bounded mean{s.mean, std::vector<double>(s.mean.size()), rows}, rstd{s.rstd, {}, rows},
      variance{s.variance, {}, rows};
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
  EXPECT_TRUE(
      within_bound(in_float(dst), forward_of(p, in, as_given(p, kRunning, in.mean, in.variance), 16), kTypeOf<T>, 2));
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
    for (const BatchNormProblem& p :
         {BatchNormProblem{.rows = 300, .channels = 64}, BatchNormProblem{.rows = 140, .channels = 320}}) {
      run_all<float>(p);
      run_all<Bf16>(p);
    }
  });
}

}  // namespace
}  // namespace cudacards::testing::batch_norm
