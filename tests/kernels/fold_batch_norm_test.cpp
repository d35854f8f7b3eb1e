// A folded convolution has the weights and the bias that the two layers have together.

#include <gmock/gmock.h>

#include "kernels/batch_norm/batch_norm.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/norm_numbers.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

TEST(FoldBatchNormSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(fold_batch_norm_supports({.filters = 1, .per_filter = 1, .epsilon = 0}, DType::kBf16));
  EXPECT_THAT(fold_batch_norm_supports({}, DType::kU8).reason(), HasSubstr("uint8"));
  EXPECT_THAT(fold_batch_norm_supports({.filters = 0}, DType::kF32).reason(), HasSubstr("a weight"));
  EXPECT_THAT(fold_batch_norm_supports({.per_filter = 0}, DType::kF32).reason(), HasSubstr("a weight"));
  for (const float wrong : {-1e-9f, NAN})
    EXPECT_THAT(fold_batch_norm_supports({.epsilon = wrong}, DType::kF32).reason(), HasSubstr("epsilon"));
  EXPECT_THAT(fold_batch_norm({.filters = 0}, DType::kF32, {}, nullptr).reason(), HasSubstr("fold_batch_norm: a"));
}

struct Layers {
  std::vector<float> weights, bias, gamma, beta, mean, variance;
};

enum class Bias { kNone, kGiven };
enum class Place { kApart, kInPlace };

template <class T>
struct Folded {
  std::vector<T> weights;
  std::vector<float> bias;
};

template <class T>
Folded<T> fold(const FoldBatchNormProblem& p, const Layers& in, Bias bias = Bias::kGiven, Place place = Place::kApart) {
  DeviceArray<float> weights(in.weights, "weights"), own_bias(in.bias, "bias"), gamma(in.gamma, "gamma"),
      beta(in.beta, "beta"), mean(in.mean, "mean"), variance(in.variance, "variance"),
      folded_bias(in.bias.size(), "folded_bias");
  DeviceArray<T> folded(in.weights.size(), "folded_weights");
  CUDACARDS_EXPECT_RUNS(
      fold_batch_norm(p, kTypeOf<T>,
                      {.weights = weights.data(),
                       .bias = bias == Bias::kGiven ? own_bias.data() : nullptr,
                       .gamma = gamma.data(),
                       .beta = beta.data(),
                       .mean = mean.data(),
                       .variance = variance.data(),
                       .folded_weights = place == Place::kApart ? static_cast<void*>(folded.data()) : weights.data(),
                       .folded_bias = place == Place::kApart ? folded_bias.data() : own_bias.data()},
                      nullptr));
  if constexpr (sizeof(T) == 4)
    if (place == Place::kInPlace) return {weights.read(), own_bias.read()};
  return {folded.read(), folded_bias.read()};
}

struct Expected {
  Bounded weights, bias;
};

Expected expected_of(const FoldBatchNormProblem& p, const Layers& in, Bias bias) {
  const auto weights = in_double(in.weights), own_bias = in_double(in.bias), gamma = in_double(in.gamma),
             beta = in_double(in.beta), mean = in_double(in.mean), variance = in_double(in.variance);
  Expected e;
  e.weights.terms = e.bias.terms = 4;  // roundings: sum, root, quotient, product
  for (std::size_t k = 0; k < gamma.size(); ++k) {
    const double scale = gamma[k] / std::sqrt(variance[k] + static_cast<double>(p.epsilon));
    const double before = bias == Bias::kGiven ? own_bias[k] : 0;
    e.bias.value.push_back((before - mean[k]) * scale + beta[k]);
    e.bias.magnitude.push_back((std::abs(before) + std::abs(mean[k])) * std::abs(scale) + std::abs(beta[k]));
    for (std::int64_t i = 0; i < p.per_filter; ++i) {
      e.weights.value.push_back(weights[k * static_cast<std::size_t>(p.per_filter) + static_cast<std::size_t>(i)] *
                                scale);
      e.weights.magnitude.push_back(std::abs(e.weights.value.back()));
    }
  }
  return e;
}

class FoldBatchNorm : public KernelTest, public ::testing::WithParamInterface<FoldBatchNormProblem> {};

template <class T>
void expect_folded(FoldBatchNormProblem p) {
  const std::int64_t k = p.filters;
  Layers in{random_numbers<float>(p.elements(), -1, 1, 61),
            random_numbers<float>(k, -1, 1, 62),
            random_numbers<float>(k, -2, 2, 63),
            random_numbers<float>(k, -1, 1, 64),
            random_numbers<float>(k, -1, 1, 65),
            random_numbers<float>(k, 0.1f, 2, 66)};
  for (const Bias bias : {Bias::kNone, Bias::kGiven}) {
    const Expected expected = expected_of(p, in, bias);
    Folded<T> folded;
    in_every_order([&] {
      folded = fold<T>(p, in, bias);
      return std::pair(in_float(folded.weights), folded.bias);
    });
    EXPECT_TRUE(within_bound(in_float(folded.weights), expected.weights, kTypeOf<T>, 1));
    EXPECT_TRUE(within_bound(folded.bias, expected.bias, DType::kF32, 1));
  }
  if constexpr (sizeof(T) == 4) {
    const Folded<T> in_place = fold<T>(p, in, Bias::kGiven, Place::kInPlace), apart = fold<T>(p, in);
    EXPECT_EQ(in_place.weights, apart.weights);
    EXPECT_EQ(in_place.bias, apart.bias);
  }

  p.epsilon = 0.25f;
  in = {random_integers<float>(p.elements(), -3, 3, 67),
        random_integers<float>(k, -3, 3, 68),
        random_integers<float>(k, -2, 2, 69),
        random_integers<float>(k, -3, 3, 70),
        random_integers<float>(k, -3, 3, 71),
        std::vector<float>(static_cast<std::size_t>(k), 3.75f)};
  const Expected expected = expected_of(p, in, Bias::kGiven);
  const Folded<T> folded = fold<T>(p, in);
  EXPECT_TRUE(exact(in_float(folded.weights), expected.weights.value, kTypeOf<T>));
  EXPECT_TRUE(exact(folded.bias, expected.bias.value, DType::kF32));
}

TEST_P(FoldBatchNorm, IsBothLayers) {
  expect_folded<float>(GetParam());
  expect_folded<Bf16>(GetParam());
}

// One weight; a first layer's 3 x 3 x 3; depthwise; 1 x 1 with as many weights as lanes, one more, and several rounds.
INSTANTIATE_TEST_SUITE_P(Shapes, FoldBatchNorm,
                         ::testing::Values(FoldBatchNormProblem{1, 1}, FoldBatchNormProblem{32, 27},
                                           FoldBatchNormProblem{17, 9}, FoldBatchNormProblem{8, 32},
                                           FoldBatchNormProblem{9, 33}, FoldBatchNormProblem{3, 288}),
                         [](const auto& info) {
                           return std::to_string(info.param.filters) + "x" + std::to_string(info.param.per_filter);
                         });

class FoldBatchNormTraffic : public KernelTest {};

// Of its own filter's parameters a warp reads 4 bytes of a 32-byte sector each, one request for every per_filter / 32:
// no excess, since a sector is the least that a request can take.
TEST_F(FoldBatchNormTraffic, IsWhatTheBytesNeed) {
  const FoldBatchNormProblem p{.filters = 16, .per_filter = 256};
  const auto numbers = random_numbers<float>(16, 1, 2, 72);
  const Layers in{random_numbers<float>(p.elements(), -1, 1, 73), numbers, numbers, numbers, numbers, numbers};
  expect_traffic("fold_batch_norm_kernel", {}, [&] {
    fold<float>(p, in);
    fold<Bf16>(p, in);
  });
}

}  // namespace
}  // namespace cudacards::testing
