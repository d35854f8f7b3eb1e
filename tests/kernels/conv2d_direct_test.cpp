// The first convolution, from pictures as they are stored: every source type against sums in double.

#include "kernels/conv2d/direct.h"

#include <gmock/gmock.h>

#include "tests/kernels/support/conv2d.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr Conv2dProblem kFirst = {.n = 1, .h = 8, .w = 8, .c = 3, .k = 8, .r = 3, .s = 3};

TEST(Conv2dDirectSupports, SaysNoWithTheReason) {
  const auto with = [&](auto change) {
    Conv2dProblem p = kFirst;
    change(p);
    return p;
  };
  for (const auto src : {DType::kU8, DType::kBf16, DType::kF32}) {
    EXPECT_TRUE(conv2d_direct_supports(kFirst, src, DType::kF32));
    EXPECT_TRUE(conv2d_direct_supports(kFirst, src, DType::kBf16));
    EXPECT_THAT(conv2d_direct_supports(kFirst, src, DType::kU8).reason(), HasSubstr("uint8"));
  }
  const auto reason = [](const Conv2dProblem& p) {
    return conv2d_direct_supports(p, DType::kU8, DType::kF32).reason();
  };
  EXPECT_THAT(reason(with([](auto& p) { p.c = 2; })), HasSubstr("1 or 3 channels"));
  EXPECT_THAT(reason(with([](auto& p) { p.c = 4; })), HasSubstr("1 or 3 channels"));
  EXPECT_THAT(reason(with([](auto& p) { p.groups = 3; })), HasSubstr("groups"));
  EXPECT_THAT(reason(with([](auto& p) { p.k = 65535 * 32 + 1; })), HasSubstr("more filters"));
}

TEST(Conv2dDirectLauncher, RefusesUnalignedMemory) {
  alignas(16) float memory[8] = {};
  EXPECT_THAT(
      conv2d_direct(kFirst, DType::kF32, DType::kF32, {.src = memory, .weights = memory, .dst = memory + 1}, nullptr)
          .reason(),
      HasSubstr("16-byte aligned"));
}

/// Pixels are 0 ... 255 in uint8 and small integers otherwise; scales are powers of two, so that all sums are exact.
struct Direct {
  Doubles src, weights, bias;
  Activation activation = Activation::kNone;
  float scale[3] = {1, 1, 1}, offset[3] = {0, 0, 0};
};

Direct direct_inputs(const Conv2dProblem& p, DType src) {
  Direct in = {
      .src = integers(1, p.src_elements()), .weights = integers(2, p.weight_elements()), .bias = integers(3, p.k)};
  if (src != DType::kU8) return in;
  for (std::size_t i = 0; i < in.src.size(); ++i) in.src[i] = scrambled(4, i) % 256;
  in.src[0] = 255;
  for (int c = 0; c < 3; ++c) in.scale[c] = c == 1 ? 0.25f : 0.5f, in.offset[c] = static_cast<float>(c) - 40.0f;
  return in;
}

Doubles normalised(const Conv2dProblem& p, const Direct& in) {
  Doubles src = in.src;
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % static_cast<std::size_t>(p.c);
    src[i] = src[i] * static_cast<double>(in.scale[c]) + static_cast<double>(in.offset[c]);
  }
  return src;
}

Doubles expected(const Conv2dProblem& p, const Direct& in) {
  const Doubles src = normalised(p, in);
  Doubles dst(static_cast<std::size_t>(p.dst_elements()));
  reference::conv2d_forward<double, double>(p, src.data(), in.weights.data(),
                                            in.bias.empty() ? nullptr : in.bias.data(), in.activation, dst.data());
  return dst;
}

template <class Src>
struct Stored {
  static constexpr DType kType = kTypeOf<Src>;
  static std::vector<Src> of(const Doubles& values) { return stored<Src>(values); }
};
template <>
struct Stored<std::uint8_t> {
  static constexpr DType kType = DType::kU8;
  static std::vector<std::uint8_t> of(const Doubles& values) { return {values.begin(), values.end()}; }
};

template <class Src, class Dst>
std::vector<float> on_device(const Conv2dProblem& p, const Direct& in) {
  const DeviceArray<Src> src(Stored<Src>::of(in.src), "src");
  const DeviceArray<float> weights(stored<float>(in.weights), "weights"), bias(stored<float>(in.bias), "bias");
  DeviceArray<Dst> dst(static_cast<std::size_t>(p.dst_elements()), "dst");
  Conv2dDirectArgs args = {.src = src.data(),
                           .weights = weights.data(),
                           .bias = in.bias.empty() ? nullptr : bias.data(),
                           .dst = dst.data(),
                           .activation = in.activation};
  std::copy_n(in.scale, 3, args.scale);
  std::copy_n(in.offset, 3, args.offset);
  CUDACARDS_EXPECT_RUNS(conv2d_direct(p, Stored<Src>::kType, kTypeOf<Dst>, args, nullptr));
  return floats(dst.read());
}

template <class Src, class Dst>
void expect_exact(const Conv2dProblem& p, const Direct& in) {
  const Doubles want = expected(p, in);
  EXPECT_TRUE(trusted(want));
  const auto actual = in_every_order([&] { return on_device<Src, Dst>(p, in); });
  EXPECT_TRUE(exact(actual, want, kTypeOf<Dst>)) << name_of(Stored<Src>::kType) << " to " << name_of(kTypeOf<Dst>);
}

class Conv2dDirect : public KernelTest, public ::testing::WithParamInterface<Conv2dCase> {};

TEST_P(Conv2dDirect, IsExactOnIntegers) {
  const Conv2dProblem& p = GetParam().problem;
  const Direct bytes = direct_inputs(p, DType::kU8), numbers = direct_inputs(p, DType::kF32);
  expect_exact<std::uint8_t, float>(p, bytes);
  expect_exact<std::uint8_t, Bf16>(p, bytes);
  expect_exact<Bf16, float>(p, numbers);
  expect_exact<Bf16, Bf16>(p, numbers);
  expect_exact<float, float>(p, numbers);
  expect_exact<float, Bf16>(p, numbers);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Conv2dDirect,
    ::testing::Values(
        Conv2dCase{"one", {.n = 1, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1}},
        Conv2dCase{"exact_tile", {.n = 1, .h = 8, .w = 16, .c = 3, .k = 32, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
        Conv2dCase{"tile_and_one", {.n = 2, .h = 9, .w = 17, .c = 3, .k = 33, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
        Conv2dCase{"two_strips", {.n = 1, .h = 33, .w = 5, .c = 1, .k = 8, .r = 3, .s = 3, .pad = {1, 1, 1, 1}}},
        Conv2dCase{"mobilenet",
                   {.n = 1,
                    .h = 14,
                    .w = 20,
                    .c = 3,
                    .k = 16,
                    .r = 3,
                    .s = 3,
                    .stride_h = 2,
                    .stride_w = 2,
                    .pad = {0, 0, 1, 1}}},
        Conv2dCase{"seven",
                   {.n = 1,
                    .h = 11,
                    .w = 13,
                    .c = 3,
                    .k = 12,
                    .r = 7,
                    .s = 7,
                    .stride_h = 2,
                    .stride_w = 2,
                    .pad = {3, 3, 3, 3}}},
        Conv2dCase{"stride_of_rows",
                   {.n = 1, .h = 17, .w = 5, .c = 1, .k = 9, .r = 3, .s = 2, .stride_h = 2, .pad = {1, 0, 1, 1}}},
        Conv2dCase{"edges",
                   {.n = 1, .h = 5, .w = 18, .c = 3, .k = 7, .r = 2, .s = 4, .stride_w = 2, .pad = {2, 1, 0, 3}}}),
    [](const auto& info) { return info.param.name; });

std::vector<Conv2dCase> first_layers_of_models() {
  auto cases = conv2d_cases_of_models();
  std::erase_if(cases, [](const auto& c) { return !conv2d_direct_supports(c.problem, DType::kU8, DType::kF32); });
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Models, Conv2dDirect, ::testing::ValuesIn(first_layers_of_models()),
                         [](const auto& info) { return info.param.name; });

class Conv2dDirectKernel : public KernelTest {};

TEST_F(Conv2dDirectKernel, AbsorbsBiasAndActivation) {
  const Conv2dProblem p = {.n = 1, .h = 5, .w = 6, .c = 3, .k = 12, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  for (const auto activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
    for (const bool bias : {false, true}) {
      Direct in = direct_inputs(p, DType::kU8);
      in.activation = activation;
      if (!bias) in.bias.clear();
      EXPECT_TRUE(exact(on_device<std::uint8_t, Bf16>(p, in), expected(p, in), DType::kBf16));
    }
  }
}

TEST_F(Conv2dDirectKernel, StaysWithinTheBoundOnFractions) {
  const Conv2dProblem p = {.n = 1, .h = 6, .w = 7, .c = 3, .k = 16, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  Direct in = {.src = fractions(1, p.src_elements(), DType::kBf16),
               .weights = fractions(2, p.weight_elements(), DType::kF32),
               .bias = fractions(3, p.k, DType::kF32),
               .scale = {0.9f, 1.1f, 1.3f},
               .offset = {0.1f, -0.2f, 0.3f}};
  // |x| <= scale |src| + |offset|, and normalising rounds twice: two more terms.
  Direct size = in;
  size.src = magnitudes(in.src);
  size.weights = magnitudes(in.weights);
  size.bias = magnitudes(in.bias);
  size.offset[1] = 0.2f;
  const double terms = p.r * p.s * p.c + 3;
  EXPECT_TRUE(within_bound(on_device<Bf16, float>(p, in),
                           {.value = expected(p, in), .magnitude = expected(p, size), .terms = terms}, DType::kF32, 2));
  EXPECT_TRUE(within_bound(on_device<Bf16, Bf16>(p, in),
                           {.value = expected(p, in), .magnitude = expected(p, size), .terms = terms}, DType::kBf16,
                           2));
}

TEST_F(Conv2dDirectKernel, MovesWhatTheBytesNeed) {
  const Conv2dProblem p = {.n = 1, .h = 32, .w = 32, .c = 3, .k = 32, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  // Loads: a tile's rows of 54 elements and the bank's pieces of 8 weights begin anywhere, so that a request of 32
  // bytes of uint8 touches two or three sectors where one would do. The source is 1/20 of the traffic and comes from
  // the first cache the second time; the bank is loaded once for four tiles.
  const auto run = [&]<class Src, class Dst>(Src, Dst, DType type) {
    Direct in = direct_inputs(p, type);
    in.bias.clear();
    on_device<Src, Dst>(p, in);
  };
  expect_traffic("conv2d_direct_kernel", {.global_load = 2.4}, [&] { run(std::uint8_t(), Bf16(), DType::kU8); });
  expect_traffic("conv2d_direct_kernel", {.global_load = 1.75}, [&] { run(float(), float(), DType::kF32); });
}

}  // namespace
}  // namespace cudacards::testing
