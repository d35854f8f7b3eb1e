// The forward convolution: every kernel against sums in double, every epilogue, every edge.

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "kernels/conv2d/halo.h"
#include "tests/kernels/support/conv2d.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

TEST(Conv2dSupports, SaysNoWithTheReason) {
  const auto reason = [](Conv2dProblem p, DType type = DType::kF32, Conv2dChoice choice = {}) {
    return conv2d_forward_supports(p, type, choice).reason();
  };
  constexpr Conv2dProblem ok = {.n = 1, .h = 8, .w = 8, .c = 8, .k = 8, .r = 3, .s = 3};
  const auto with = [&](auto change) {
    Conv2dProblem p = ok;
    change(p);
    return p;
  };
  EXPECT_TRUE(conv2d_forward_supports(ok, DType::kF32));
  EXPECT_TRUE(conv2d_forward_supports(ok, DType::kBf16));
  EXPECT_TRUE(conv2d_forward_supports(with([](auto& p) { p.r = p.s = 7; }), DType::kF32));
  EXPECT_THAT(reason(ok, DType::kU8), HasSubstr("uint8"));
  EXPECT_THAT(reason(with([](auto& p) { p.groups = 2; })), HasSubstr("groups"));
  EXPECT_THAT(reason(with([](auto& p) { p.k = 0; })), HasSubstr("below 1"));
  EXPECT_THAT(reason(with([](auto& p) { p.r = 8; })), HasSubstr("7x7"));
  EXPECT_THAT(reason(with([](auto& p) { p.s = 8; })), HasSubstr("7x7"));
  EXPECT_THAT(reason(with([](auto& p) { p.stride_h = 3; })), HasSubstr("stride"));
  EXPECT_THAT(reason(with([](auto& p) { p.stride_w = 0; })), HasSubstr("stride"));
  EXPECT_THAT(reason(with([](auto& p) { p.pad.left = -1; })), HasSubstr("negative"));
  EXPECT_THAT(reason(with([](auto& p) { p.h = 2; })), HasSubstr("larger than the padded"));
  EXPECT_THAT(reason(with([](auto& p) { p.n = 1 << 26; })), HasSubstr("2^31 pixels"));
  EXPECT_THAT(reason(with([](auto& p) { p.c = 1 << 28; })), HasSubstr("2^30 elements"));
  EXPECT_THAT(reason(with([](auto& p) { p.k = 1 << 28; })), HasSubstr("2^30 elements"));
  EXPECT_THAT(reason(ok, DType::kF32, {.path = Conv2dPath::kTensor}), HasSubstr("bf16 only"));
  EXPECT_THAT(reason(ok, DType::kF32, {.path = Conv2dPath::kHalo}), HasSubstr("bf16"));
  EXPECT_THAT(reason(with([](auto& p) { p.c = 4; }), DType::kBf16, {.path = Conv2dPath::kHalo}), HasSubstr("eights"));
  EXPECT_THAT(reason(with([](auto& p) { p.stride_w = 2; }), DType::kBf16, {.path = Conv2dPath::kHalo}),
              HasSubstr("stride 1"));
  EXPECT_THAT(reason(with([](auto& p) { p.s = 1; }), DType::kBf16, {.path = Conv2dPath::kHalo}), HasSubstr("3x3"));
}

TEST(Conv2dSupports, GoesAsFarAsItsIndicesDo) {
  const auto supports = [](const Conv2dProblem& p) { return bool{conv2d_forward_supports(p, DType::kF32)}; };
  // 2^31 - 2^18 pixels, of src and of dst.
  EXPECT_TRUE(supports({.n = 32764, .h = 128, .w = 512}));
  EXPECT_FALSE(supports({.n = 32765, .h = 128, .w = 512, .stride_h = 2, .stride_w = 2}));
  EXPECT_TRUE(supports({.n = 32764, .h = 126, .w = 511, .pad = {1, 1, 1, 0}}));
  EXPECT_FALSE(supports({.n = 32765, .h = 126, .w = 511, .pad = {1, 1, 1, 0}}));
  // 2^30 elements of a filter, and of its transpose.
  EXPECT_TRUE(supports({.h = 4, .w = 2, .c = 1 << 27, .k = 1 << 27, .r = 4, .s = 2}));
  EXPECT_FALSE(supports({.h = 4, .w = 2, .c = (1 << 27) + 1, .r = 4, .s = 2}));
  EXPECT_FALSE(supports({.h = 4, .w = 2, .k = (1 << 27) + 1, .r = 4, .s = 2}));
  // A filter as large as the padded picture.
  EXPECT_TRUE(supports({.h = 1, .w = 1, .r = 4, .s = 6, .pad = {1, 2, 2, 3}}));
  EXPECT_FALSE(supports({.h = 1, .w = 1, .r = 5, .s = 6, .pad = {1, 2, 2, 3}}));
  EXPECT_FALSE(supports({.h = 1, .w = 1, .r = 4, .s = 7, .pad = {1, 2, 2, 3}}));
}

TEST(Conv2dTuning, TakesTheHaloTileWhereItFitsAndWideTilesWhereThereAreMany) {
  EXPECT_TRUE(conv2d_halo_fits(8, 16));
  EXPECT_TRUE(conv2d_halo_fits(12, 16));
  EXPECT_FALSE(conv2d_halo_fits(11, 16));
  EXPECT_FALSE(conv2d_halo_fits(16, 11));
  EXPECT_FALSE(conv2d_halo_fits(7, 7));
  EXPECT_EQ(conv2d_tile(1 << 20, 128, {.tile = Conv2dTile::kBest}), Conv2dTile::k128x128);
  EXPECT_EQ(conv2d_tile(1 << 10, 128, {.tile = Conv2dTile::kBest}), Conv2dTile::k128x64);
  EXPECT_EQ(conv2d_tile(1 << 20, 64, {.tile = Conv2dTile::kBest}), Conv2dTile::k128x64);
  EXPECT_EQ(conv2d_tile(1 << 20, 32, {.tile = Conv2dTile::kBest}), Conv2dTile::k64x32);
  EXPECT_EQ(conv2d_tile(1 << 20, 32, {.tile = Conv2dTile::k128x128}), Conv2dTile::k128x128);
}

TEST(Conv2dLauncher, RefusesUnalignedMemory) {
  alignas(16) float memory[8] = {};
  const Conv2dProblem p = {};
  EXPECT_THAT(conv2d_forward(p, DType::kF32, {.src = memory + 1, .weights = memory, .dst = memory}, nullptr).reason(),
              HasSubstr("16-byte aligned"));
  EXPECT_THAT(conv2d_forward({.groups = 2}, DType::kF32, {}, nullptr).reason(), HasSubstr("groups"));
}

struct Inputs {
  Doubles src, weights, bias, residual;  // bias and residual may be empty
  Activation activation = Activation::kNone;
};

Doubles expected(const Conv2dProblem& p, const Inputs& in) {
  Doubles dst(static_cast<std::size_t>(p.dst_elements()));
  reference::conv2d_forward<double, double>(p, in.src.data(), in.weights.data(),
                                            in.bias.empty() ? nullptr : in.bias.data(), Activation::kNone, dst.data());
  for (std::size_t i = 0; i < dst.size(); ++i)
    dst[i] = apply(in.activation, dst[i] + (in.residual.empty() ? 0.0 : in.residual[i]));
  return dst;
}

template <class T>
std::vector<float> on_device(const Conv2dProblem& p, const Inputs& in, const Conv2dChoice& choice) {
  const DeviceArray<T> src(stored<T>(in.src), "src"), weights(stored<T>(in.weights), "weights"),
      residual(stored<T>(in.residual), "residual");
  const DeviceArray<float> bias(stored<float>(in.bias), "bias");
  DeviceArray<T> dst(static_cast<std::size_t>(p.dst_elements()), "dst");
  CUDACARDS_EXPECT_RUNS(conv2d_forward(p, kTypeOf<T>,
                                       {.src = src.data(),
                                        .weights = weights.data(),
                                        .bias = in.bias.empty() ? nullptr : bias.data(),
                                        .residual = in.residual.empty() ? nullptr : residual.data(),
                                        .dst = dst.data(),
                                        .activation = in.activation},
                                       nullptr, choice));
  return floats(dst.read());
}
std::vector<float> on_device(const Conv2dProblem& p, DType type, const Inputs& in, const Conv2dChoice& choice) {
  return type == DType::kF32 ? on_device<float>(p, in, choice) : on_device<Bf16>(p, in, choice);
}

Inputs integer_inputs(const Conv2dProblem& p) {
  return {.src = integers(1, p.src_elements()),
          .weights = integers(2, p.weight_elements()),
          .bias = integers(3, p.k),
          .residual = integers(4, p.dst_elements())};
}

class Conv2dForward : public KernelTest, public ::testing::WithParamInterface<Conv2dCase> {};

TEST_P(Conv2dForward, IsExactOnIntegers) {
  const Conv2dProblem& p = GetParam().problem;
  const Inputs in = integer_inputs(p);
  const Doubles want = expected(p, in);
  EXPECT_TRUE(trusted(want));
  for (const Conv2dVariant& variant : conv2d_variants(GetParam(), bool{conv2d_halo_supports(p, DType::kBf16)})) {
    EXPECT_TRUE(exact(on_device(p, variant.type, in, variant.choice), want, variant.type)) << variant.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Conv2dForward, ::testing::ValuesIn(conv2d_cases()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Models, Conv2dForward, ::testing::ValuesIn(conv2d_cases_of_models()),
                         [](const auto& info) { return info.param.name; });

class Conv2dForwardKernels : public KernelTest {};

/// Two halo tiles in each direction and ragged, two slabs of channels and ragged.
constexpr Conv2dProblem kManyHalos = {.n = 2, .h = 9, .w = 18, .c = 40, .k = 72, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};

std::vector<Conv2dVariant> all_variants() {
  auto variants = conv2d_gemm_variants();
  variants.push_back({"halo", DType::kBf16, {.path = Conv2dPath::kHalo}});
  return variants;
}

TEST_F(Conv2dForwardKernels, GiveTheSameBytesInEveryOrder) {
  for (const Conv2dProblem& p : {kManyHalos, Conv2dProblem{.h = 5, .w = 5, .c = 24, .k = 20, .r = 3, .s = 3}}) {
    const Inputs in = integer_inputs(p);
    const Doubles want = expected(p, in);
    for (const Conv2dVariant& variant : all_variants()) {
      const auto actual = in_every_order([&] { return on_device(p, variant.type, in, variant.choice); });
      EXPECT_TRUE(exact(actual, want, variant.type)) << variant.name;
    }
  }
}

TEST_F(Conv2dForwardKernels, AbsorbBiasResidualAndActivation) {
  Conv2dProblem p = {.n = 1, .h = 5, .w = 7, .c = 8, .k = 24, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  for (const int filters : {24, 21}) {  // quads whole and by elements
    p.k = filters;
    for (const auto activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
      for (const bool bias : {false, true}) {
        for (const bool residual : {false, true}) {
          Inputs in = integer_inputs(p);
          in.activation = activation;
          if (!bias) in.bias.clear();
          if (!residual) in.residual.clear();
          const Doubles want = expected(p, in);
          for (const Conv2dVariant& variant : all_variants())
            EXPECT_TRUE(exact(on_device(p, variant.type, in, variant.choice), want, variant.type)) << variant.name;
        }
      }
    }
  }
}

TEST_F(Conv2dForwardKernels, KeepNanThroughRelu) {
  const Conv2dProblem p = {.n = 1, .h = 3, .w = 3, .c = 8, .k = 4, .r = 3, .s = 3};
  for (const auto activation : {Activation::kRelu, Activation::kRelu6}) {
    Inputs in = integer_inputs(p);
    in.src[0] = std::numeric_limits<double>::quiet_NaN();
    in.activation = activation;
    for (const Conv2dVariant& variant : all_variants())
      for (const float x : on_device(p, variant.type, in, variant.choice)) EXPECT_TRUE(std::isnan(x)) << variant.name;
  }
}

/// A slab is deeper than what is left of the depth: what it reads there must be zeros, not the pixels below the filter.
TEST_F(Conv2dForwardKernels, KeepNanWhereItIsRead) {
  for (const int channels : {8, 5}) {
    const Conv2dProblem p = {.n = 1, .h = 5, .w = 3, .c = channels, .k = 4, .r = 3, .s = 3};
    Inputs in = integer_inputs(p);
    in.src[static_cast<std::size_t>(3 * p.w * p.c)] = std::numeric_limits<double>::quiet_NaN();  // row 3, column 0
    for (const Conv2dVariant& variant : all_variants()) {
      if (!conv2d_forward_supports(p, variant.type, variant.choice)) continue;
      const std::vector<float> dst = on_device(p, variant.type, in, variant.choice);
      for (std::size_t i = 0; i < dst.size(); ++i)  // destination row 0 reads rows 0, 1 and 2
        EXPECT_EQ(std::isnan(dst[i]), i >= static_cast<std::size_t>(p.k)) << variant.name << " element " << i;
    }
  }
}

TEST_F(Conv2dForwardKernels, StayWithinTheBoundOnFractions) {
  for (const Conv2dProblem& p :
       {Conv2dProblem{.n = 1, .h = 6, .w = 6, .c = 64, .k = 32, .r = 3, .s = 3, .pad = {1, 1, 1, 1}},
        Conv2dProblem{.n = 1, .h = 5, .w = 4, .c = 53, .k = 17, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}}) {
    for (const Conv2dVariant& variant : all_variants()) {
      if (!conv2d_forward_supports(p, variant.type, variant.choice)) continue;
      const Inputs in = {.src = fractions(1, p.src_elements(), variant.type),
                         .weights = fractions(2, p.weight_elements(), variant.type),
                         .bias = fractions(3, p.k, DType::kF32),
                         .residual = {}};
      const Bounded want = {.value = expected(p, in),
                            .magnitude = expected(p, {.src = magnitudes(in.src),
                                                      .weights = magnitudes(in.weights),
                                                      .bias = magnitudes(in.bias),
                                                      .residual = {}}),
                            .terms = static_cast<double>(p.r * p.s * p.c + 1)};
      EXPECT_TRUE(within_bound(on_device(p, variant.type, in, variant.choice), want, variant.type, 2)) << variant.name;
    }
  }
}

TEST_F(Conv2dForwardKernels, MoveWhatTheBytesNeed) {
  const Conv2dProblem p = kWellShaped;
  const Inputs in = integer_inputs(p);
  const auto run = [&](DType type, const Conv2dChoice& choice) {
    return [&p, &in, type, choice] { on_device(p, type, in, choice); };
  };
  for (const auto tile : {Conv2dTile::k128x128, Conv2dTile::k128x64, Conv2dTile::k64x32})
    expect_traffic("conv2d_forward_tensor_kernel", {}, run(DType::kBf16, {.path = Conv2dPath::kTensor, .tile = tile}));
  expect_traffic("conv2d_forward_simt_kernel", {}, run(DType::kF32, {}));
  expect_traffic("conv2d_halo_kernel", {}, run(DType::kBf16, {.path = Conv2dPath::kHalo}));
}

}  // namespace
}  // namespace cudacards::testing
