// Both gradients of a convolution: every kernel against sums in double, every phase of a stride, every slicing.

#include <gmock/gmock.h>

#include "tests/kernels/support/conv2d.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr Conv2dProblem kPlain = {.n = 1, .h = 8, .w = 8, .c = 8, .k = 8, .r = 3, .s = 3};

TEST(Conv2dBackwardSupports, SaysNoWithTheReason) {
  Conv2dProblem grouped = kPlain;
  grouped.groups = 2;
  EXPECT_TRUE(conv2d_backward_data_supports(kPlain, DType::kBf16));
  EXPECT_TRUE(conv2d_backward_weights_supports(kPlain, DType::kBf16));
  EXPECT_THAT(conv2d_backward_data_supports(grouped, DType::kF32).reason(), HasSubstr("groups"));
  EXPECT_THAT(conv2d_backward_weights_supports(grouped, DType::kF32).reason(), HasSubstr("groups"));
  for (const auto path : {Conv2dPath::kTensor, Conv2dPath::kHalo}) {
    EXPECT_FALSE(conv2d_backward_data_supports(kPlain, DType::kF32, {.path = path}));
    EXPECT_FALSE(conv2d_backward_weights_supports(kPlain, DType::kF32, {.path = path}));
  }
  Conv2dProblem odd = kPlain;
  EXPECT_TRUE(conv2d_backward_data_supports(odd, DType::kBf16, {.path = Conv2dPath::kHalo}));
  odd.k = 12;
  EXPECT_THAT(conv2d_backward_data_supports(odd, DType::kBf16, {.path = Conv2dPath::kHalo}).reason(),
              HasSubstr("filters in eights"));
  odd.k = 8, odd.c = 12;
  EXPECT_THAT(conv2d_backward_data_supports(odd, DType::kBf16, {.path = Conv2dPath::kHalo}).reason(),
              HasSubstr("channels in eights"));
  EXPECT_THAT(conv2d_backward_weights_supports(kPlain, DType::kBf16, {.path = Conv2dPath::kHalo}).reason(),
              HasSubstr("forward"));
  EXPECT_TRUE(conv2d_backward_weights_supports(kPlain, DType::kF32, {.slices = 65535}));
  EXPECT_THAT(conv2d_backward_weights_supports(kPlain, DType::kF32, {.slices = 65536}).reason(), HasSubstr("65535"));
}

TEST(Conv2dBackwardLauncher, RefusesUnalignedMemoryAndStartsNothingThatNobodyWants) {
  alignas(16) float memory[8] = {};
  EXPECT_THAT(conv2d_backward_data(kPlain, DType::kF32, {.diff_dst = memory, .weights = memory, .diff_src = memory + 1},
                                   nullptr)
                  .reason(),
              HasSubstr("16-byte aligned"));
  EXPECT_THAT(
      conv2d_backward_weights(
          kPlain, DType::kF32,
          {.src = memory, .diff_dst = memory, .diff_weights = memory, .diff_bias = memory, .workspace = memory + 1},
          nullptr)
          .reason(),
      HasSubstr("16-byte aligned"));
  EXPECT_TRUE(conv2d_backward_data(kPlain, DType::kF32, {.mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(conv2d_backward_weights(kPlain, DType::kF32, {.mode = GradMode::kIgnore, .bias_mode = GradMode::kIgnore},
                                      nullptr));
}

TEST(Conv2dSlices, AreAsManyAsFillTheMachineButNotShort) {
  EXPECT_EQ(conv2d_slices(1 << 20, 1, 0), 264);
  EXPECT_EQ(conv2d_slices(1 << 20, 132, 0), 2);
  EXPECT_EQ(conv2d_slices(1 << 20, 1000, 0), 1);
  EXPECT_EQ(conv2d_slices(1024, 1, 0), 4);
  EXPECT_EQ(conv2d_slices(10, 1, 0), 1);
  EXPECT_EQ(conv2d_slices(1 << 20, 1, 7), 7);
  EXPECT_EQ(conv2d_slices(5, 1, 7), 5);
}

// --- diff_src

struct DataInputs {
  Doubles diff_dst, weights, before;
  GradMode mode = GradMode::kOverwrite;
};

DataInputs data_integers(const Conv2dProblem& p, GradMode mode) {
  return {.diff_dst = integers(5, p.dst_elements()),
          .weights = integers(6, p.weight_elements()),
          .before = integers(7, p.src_elements()),
          .mode = mode};
}

Doubles expected_data(const Conv2dProblem& p, const DataInputs& in) {
  Doubles diff_src = in.before;
  reference::conv2d_backward_data<double, double>(p, in.diff_dst.data(), in.weights.data(), in.mode, diff_src.data());
  return diff_src;
}

template <class T>
std::vector<float> data_on_device(const Conv2dProblem& p, const DataInputs& in, const Conv2dChoice& choice) {
  const DeviceArray<T> diff_dst(stored<T>(in.diff_dst), "diff_dst"), weights(stored<T>(in.weights), "weights");
  DeviceArray<T> diff_src(static_cast<std::size_t>(p.src_elements()), "diff_src");
  if (in.mode == GradMode::kAccumulate) diff_src.write(stored<T>(in.before));
  CUDACARDS_EXPECT_RUNS(conv2d_backward_data(
      p, kTypeOf<T>,
      {.diff_dst = diff_dst.data(), .weights = weights.data(), .diff_src = diff_src.data(), .mode = in.mode}, nullptr,
      choice));
  return floats(diff_src.read());
}
std::vector<float> data_on_device(const Conv2dProblem& p, DType type, const DataInputs& in,
                                  const Conv2dChoice& choice) {
  return type == DType::kF32 ? data_on_device<float>(p, in, choice) : data_on_device<Bf16>(p, in, choice);
}

// --- diff_weights and diff_bias

struct WeightsInputs {
  Doubles src, diff_dst, before;  // before: of the weights, then of the bias
  GradMode mode = GradMode::kOverwrite, bias_mode = GradMode::kOverwrite;
};

WeightsInputs weights_integers(const Conv2dProblem& p, GradMode mode, GradMode bias_mode) {
  return {.src = integers(8, p.src_elements()),
          .diff_dst = integers(9, p.dst_elements()),
          .before = integers(10, p.weight_elements() + p.k),
          .mode = mode,
          .bias_mode = bias_mode};
}

/// The weights' gradient and behind it the bias'.
Doubles expected_weights(const Conv2dProblem& p, const WeightsInputs& in) {
  Doubles all = in.before;
  if (in.mode != GradMode::kIgnore)
    reference::conv2d_backward_weights<double, double>(p, in.src.data(), in.diff_dst.data(), in.mode, all.data());
  if (in.bias_mode == GradMode::kIgnore) return all;
  const auto filters = static_cast<std::size_t>(p.k);
  double* bias = all.data() + p.weight_elements();
  if (in.bias_mode == GradMode::kOverwrite) std::fill_n(bias, filters, 0.0);
  for (std::size_t i = 0; i < in.diff_dst.size(); ++i) bias[i % filters] += in.diff_dst[i];
  return all;
}

template <class T>
std::vector<float> weights_on_device(const Conv2dProblem& p, const WeightsInputs& in, const Conv2dChoice& choice) {
  const auto count = static_cast<std::ptrdiff_t>(p.weight_elements());
  const DeviceArray<T> src(stored<T>(in.src), "src"), diff_dst(stored<T>(in.diff_dst), "diff_dst");
  const Doubles weights_before(in.before.begin(), in.before.begin() + count),
      bias_before(in.before.begin() + count, in.before.end());
  DeviceArray<float> diff_weights(weights_before.size(), "diff_weights"), diff_bias(bias_before.size(), "diff_bias");
  if (in.mode != GradMode::kOverwrite) diff_weights.write(stored<float>(weights_before));
  if (in.bias_mode != GradMode::kOverwrite) diff_bias.write(stored<float>(bias_before));
  DeviceArray<std::byte> workspace(conv2d_backward_weights_workspace(p, kTypeOf<T>, choice), "workspace");
  CUDACARDS_EXPECT_RUNS(conv2d_backward_weights(p, kTypeOf<T>,
                                                {.src = src.data(),
                                                 .diff_dst = diff_dst.data(),
                                                 .diff_weights = diff_weights.data(),
                                                 .diff_bias = diff_bias.data(),
                                                 .mode = in.mode,
                                                 .bias_mode = in.bias_mode,
                                                 .workspace = workspace.data()},
                                                nullptr, choice));
  std::vector<float> all = diff_weights.read();
  const std::vector<float> bias = diff_bias.read();
  all.insert(all.end(), bias.begin(), bias.end());
  return all;
}
std::vector<float> weights_on_device(const Conv2dProblem& p, DType type, const WeightsInputs& in,
                                     const Conv2dChoice& choice) {
  return type == DType::kF32 ? weights_on_device<float>(p, in, choice) : weights_on_device<Bf16>(p, in, choice);
}

// --- every case

class Conv2dBackward : public KernelTest, public ::testing::WithParamInterface<Conv2dCase> {};

TEST_P(Conv2dBackward, DataIsExactOnIntegers) {
  const Conv2dProblem& p = GetParam().problem;
  for (const auto mode : {GradMode::kOverwrite, GradMode::kAccumulate}) {
    const DataInputs in = data_integers(p, mode);
    const Doubles want = expected_data(p, in);
    EXPECT_TRUE(trusted(want));
    const bool halo{conv2d_backward_data_supports(p, DType::kBf16, {.path = Conv2dPath::kHalo})};
    for (const Conv2dVariant& variant : conv2d_variants(GetParam(), halo)) {
      if (mode == GradMode::kAccumulate && variant.choice.tile != Conv2dTile::kBest) continue;  // the store is shared
      EXPECT_TRUE(exact(data_on_device(p, variant.type, in, variant.choice), want, variant.type)) << variant.name;
    }
  }
}

TEST_P(Conv2dBackward, WeightsAreExactOnIntegers) {
  const Conv2dProblem& p = GetParam().problem;
  const WeightsInputs in = weights_integers(p, GradMode::kOverwrite, GradMode::kOverwrite);
  const Doubles want = expected_weights(p, in);
  EXPECT_TRUE(trusted(want));
  for (Conv2dVariant& variant : conv2d_variants(GetParam(), false)) {
    if (std::string(variant.name) != "best") variant.choice.slices = 3;
    EXPECT_TRUE(exact(weights_on_device(p, variant.type, in, variant.choice), want, DType::kF32)) << variant.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Conv2dBackward, ::testing::ValuesIn(conv2d_cases()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Models, Conv2dBackward, ::testing::ValuesIn(conv2d_cases_of_models()),
                         [](const auto& info) { return info.param.name; });

class Conv2dBackwardKernels : public KernelTest {};

TEST_F(Conv2dBackwardKernels, GiveTheSameBytesInEveryOrder) {
  for (const Conv2dProblem& p : {Conv2dProblem{.n = 2,
                                .h = 9,
                                .w = 9,
                                .c = 40,
                                .k = 72,
                                .r = 3,
                                .s = 3,
                                .stride_h = 2,
                                .stride_w = 2,
                                .pad = {1, 1, 1, 1}},
                                 Conv2dProblem{.h = 5, .w = 5, .c = 20, .k = 12, .r = 3, .s = 3}}) {
    const DataInputs data = data_integers(p, GradMode::kAccumulate);
    const WeightsInputs weights = weights_integers(p, GradMode::kAccumulate, GradMode::kAccumulate);
    for (Conv2dVariant& variant : conv2d_gemm_variants()) {
      const auto diff_src = in_every_order([&] { return data_on_device(p, variant.type, data, variant.choice); });
      EXPECT_TRUE(exact(diff_src, expected_data(p, data), variant.type)) << variant.name;
      variant.choice.slices = 2;
      const auto rest = in_every_order([&] { return weights_on_device(p, variant.type, weights, variant.choice); });
      EXPECT_TRUE(exact(rest, expected_weights(p, weights), DType::kF32)) << variant.name;
    }
  }
}

/// Two halo tiles in each direction and ragged, two slabs of filters and ragged, more than a block's channels.
TEST_F(Conv2dBackwardKernels, HaloTileGivesTheSameBytesInEveryOrder) {
  const Conv2dProblem p = {.n = 2, .h = 9, .w = 18, .c = 72, .k = 40, .r = 3, .s = 3, .pad = {1, 0, 2, 1}};
  for (const auto mode : {GradMode::kOverwrite, GradMode::kAccumulate}) {
    const DataInputs in = data_integers(p, mode);
    const auto actual =
        in_every_order([&] { return data_on_device(p, DType::kBf16, in, {.path = Conv2dPath::kHalo}); });
    EXPECT_TRUE(exact(actual, expected_data(p, in), DType::kBf16));
  }
}

TEST_F(Conv2dBackwardKernels, SetOrAddOrLeaveEachGradient) {
  const Conv2dProblem p = {.n = 1, .h = 4, .w = 5, .c = 3, .k = 7, .r = 2, .s = 2};
  for (const auto mode : {GradMode::kIgnore, GradMode::kOverwrite, GradMode::kAccumulate}) {
    for (const auto bias_mode : {GradMode::kIgnore, GradMode::kOverwrite, GradMode::kAccumulate}) {
      const WeightsInputs in = weights_integers(p, mode, bias_mode);
      EXPECT_TRUE(exact(weights_on_device(p, DType::kF32, in, {}), expected_weights(p, in), DType::kF32));
    }
  }
}

TEST_F(Conv2dBackwardKernels, SumEverySlicing) {
  const Conv2dProblem p = {.n = 3, .h = 11, .w = 9, .c = 8, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  const WeightsInputs in = weights_integers(p, GradMode::kOverwrite, GradMode::kOverwrite);
  const Doubles want = expected_weights(p, in);
  for (const int slices : {1, 2, 5, 9, 10, 300}) {  // 297 pixels: 10 slabs of 32 with a short one at the end
    EXPECT_TRUE(exact(weights_on_device(p, DType::kBf16, in, {.slices = slices}), want, DType::kF32)) << slices;
    EXPECT_TRUE(exact(weights_on_device(p, DType::kF32, in, {.slices = slices}), want, DType::kF32)) << slices;
  }
}

TEST_F(Conv2dBackwardKernels, StayWithinTheBoundOnFractions) {
  const Conv2dProblem p = {
      .n = 2, .h = 9, .w = 8, .c = 16, .k = 24, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2, .pad = {0, 0, 1, 1}};
  for (const Conv2dVariant& variant : conv2d_gemm_variants()) {
    const Doubles src = fractions(1, p.src_elements(), variant.type),
                  weights = fractions(2, p.weight_elements(), variant.type),
                  diff_dst = fractions(3, p.dst_elements(), variant.type);
    const DataInputs data = {.diff_dst = diff_dst, .weights = weights, .before = Doubles(src.size())};
    const DataInputs data_size = {
        .diff_dst = magnitudes(diff_dst), .weights = magnitudes(weights), .before = Doubles(src.size())};
    EXPECT_TRUE(within_bound(data_on_device(p, variant.type, data, variant.choice),
                             {.value = expected_data(p, data),
                              .magnitude = expected_data(p, data_size),
                              .terms = static_cast<double>(p.r * p.s * p.k)},
                             variant.type, 2))
        << variant.name;
    const Doubles none(weights.size() + static_cast<std::size_t>(p.k));
    const WeightsInputs in = {.src = src, .diff_dst = diff_dst, .before = none};
    const WeightsInputs size = {.src = magnitudes(src), .diff_dst = magnitudes(diff_dst), .before = none};
    EXPECT_TRUE(within_bound(weights_on_device(p, variant.type, in, variant.choice),
                             {.value = expected_weights(p, in),
                              .magnitude = expected_weights(p, size),
                              .terms = static_cast<double>(p.n * p.p() * p.q())},
                             DType::kF32, 2))
        << variant.name;
  }
}

TEST_F(Conv2dBackwardKernels, MoveWhatTheBytesNeed) {
  const Conv2dProblem p = kWellShaped;
  const DataInputs data = data_integers(p, GradMode::kOverwrite);
  const WeightsInputs weights = weights_integers(p, GradMode::kOverwrite, GradMode::kOverwrite);
  for (const Conv2dVariant& variant : conv2d_gemm_variants()) {
    // bf16 in fp32 arithmetic reads 8 bytes a lane and 16 a row: half sectors, in a path for machines without tensor
    // cores.
    if (variant.choice.path == Conv2dPath::kSimt) continue;
    expect_traffic("conv2d_backward_data", {}, [&] { data_on_device(p, variant.type, data, variant.choice); });
    expect_traffic("conv2d_backward_weights", {}, [&] { weights_on_device(p, variant.type, weights, variant.choice); });
  }
  expect_traffic("conv2d_halo_kernel", {}, [&] { data_on_device(p, DType::kBf16, data, {.path = Conv2dPath::kHalo}); });
}

}  // namespace
}  // namespace cudacards::testing
