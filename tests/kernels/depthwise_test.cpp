// Depthwise convolution against the direct convolution in double: integers exactly, random numbers within the bound.

#include "kernels/depthwise/depthwise.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/kernels/support/depthwise_case.h"
#include "tests/support/compare.h"

namespace cudacards::testing {
namespace {

using namespace depthwise;
using ::testing::HasSubstr;

// Blocks go round: 1 block a chunk forward and in the data gradient, 2 with partial sums.
constexpr DepthwiseTuning kFewBlocks = {.arch = {}, .forward_blocks = 1, .backward_weights_blocks = 2};

constexpr Padding2d kSame3 = {1, 1, 1, 1}, kSame5 = {2, 2, 2, 2}, kAfter3 = {0, 0, 1, 1}, kAfter5 = {1, 1, 2, 2};

const Case kCases[] = {
    {1, 1, 1, 1, 3, 1, kSame3},                // one element
    {1, 1, 1, 1, 5, 2, kSame5},                //
    {1, 3, 3, 8, 3, 1, {}},                    // one element of dst
    {2, 5, 4, 32, 3, 1, kSame3},               // an exact strip; MobileNetV2's first
    {1, 4, 5, 96, 3, 2, kAfter3},              // strip + 1, two chunks (bf16), Keras' padding of even sizes
    {2, 7, 7, 144, 3, 1, kSame3},              // three chunks of six groups (bf16)
    {1, 8, 8, 192, 3, 2, kAfter3},             //
    {1, 7, 9, 48, 3, 2, kSame3},               // an odd left padding and stride 2
    {1, 4, 4, 960, 3, 1, kSame3},              // fifteen chunks (bf16)
    {1, 6, 5, 72, 5, 1, kSame5},               // nine groups (bf16) in chunks of five: the last has an idle thread
    {2, 8, 7, 24, 5, 2, kAfter5},              //
    {1, 9, 8, 40, 5, 2, kSame5},               //
    {2, 5, 6, 3, 3, 1, kSame3},                // one channel a thread
    {1, 6, 7, 53, 3, 2, kAfter3},              //
    {1, 5, 5, 53, 5, 1, kSame5},               //
    {2, 6, 9, 7, 5, 2, kSame5},                //
    {3, 4, 6, 4, 3, 1, kSame3},                // 16 bytes in fp32 only
    {1, 6, 6, 12, 5, 1, {1, 0, 3, 2}},         //
    {1, 5, 6, 8, 3, 1, {2, 0, 0, 0}},          // each edge by itself
    {1, 5, 6, 8, 3, 1, {0, 2, 0, 0}},          //
    {1, 5, 6, 8, 3, 1, {0, 0, 2, 0}},          //
    {1, 5, 6, 8, 3, 1, {0, 0, 0, 2}},          //
    {1, 6, 7, 8, 3, 2, {0, 3, 1, 4}},          // more than the filter reaches
    {1, 6, 7, 8, 5, 2, {5, 0, 0, 1}},          // windows without a pixel of src
    {1, 10, 4, 8, 3, 2, {}},                   // src that no window reads
    {2, 13, 9, 32, 3, 1, kSame3, kFewBlocks},  // 128 strips at once (fp32: 32)
    {3, 12, 13, 64, 3, 2, kSame3, kFewBlocks},
    {2, 11, 14, 32, 5, 1, kSame5, kFewBlocks},
    {3, 15, 13, 17, 3, 1, kSame3, kFewBlocks},
    {2, 37, 20, 8, 3, 2, kAfter3, kFewBlocks},
    {1, 40, 30, 32, 3, 1, kSame3},  // partial sums of ten blocks (bf16 and fp32): the second step adds eight at once
};

class Depthwise : public KernelTest, public ::testing::WithParamInterface<Case> {};

template <class T>
void expect_exact_forward(const Case& c) {
  const Conv2dProblem p = c.problem();
  const Numbers numbers = integers_for(p);
  const auto check = [&](Folded folded, Activation activation, const Bytes& bytes) {
    const std::vector<double> expected = forward_reference(p, numbers, folded, activation);
    EXPECT_TRUE(activation != Activation::kNone || trusted(expected));
    EXPECT_TRUE(exact(as_floats(elements_of<T>(bytes, p.dst_elements())), expected, kTypeOf<T>));
  };
  check(Folded::kNo, Activation::kNone,
        in_every_order([&] { return forward_on_device<T>(c, numbers, Folded::kNo, Activation::kNone); }));
  check(Folded::kYes, Activation::kRelu6, forward_on_device<T>(c, numbers, Folded::kYes, Activation::kRelu6));
}

TEST_P(Depthwise, ForwardIsExact) {
  expect_exact_forward<float>(GetParam());
  expect_exact_forward<Bf16>(GetParam());
}

template <class T>
void expect_exact_backward_data(const Case& c) {
  const Conv2dProblem p = c.problem();
  const Numbers numbers = integers_for(p);
  std::vector<double> expected(numbers.src.size()), added = numbers.diff_src_before;
  reference::conv2d_backward_data(p, numbers.diff_dst.data(), numbers.weights.data(), GradMode::kOverwrite,
                                  expected.data());
  reference::conv2d_backward_data(p, numbers.diff_dst.data(), numbers.weights.data(), GradMode::kAccumulate,
                                  added.data());
  EXPECT_TRUE(trusted(expected));
  const Bytes set = in_every_order([&] { return backward_data_on_device<T>(c, numbers, GradMode::kOverwrite); });
  EXPECT_TRUE(exact(as_floats(elements_of<T>(set, p.src_elements())), expected, kTypeOf<T>));
  const Bytes sum = backward_data_on_device<T>(c, numbers, GradMode::kAccumulate);
  EXPECT_TRUE(exact(as_floats(elements_of<T>(sum, p.src_elements())), added, kTypeOf<T>));
}

TEST_P(Depthwise, BackwardDataIsExact) {
  expect_exact_backward_data<float>(GetParam());
  expect_exact_backward_data<Bf16>(GetParam());
}

template <class T>
void expect_exact_backward_weights(const Case& c) {
  const Conv2dProblem p = c.problem();
  const Numbers numbers = integers_for(p);
  std::vector<double> expected = backward_weights_reference(p, numbers.src, numbers.diff_dst);
  EXPECT_TRUE(trusted(expected));
  const auto count = static_cast<std::int64_t>(expected.size());
  const Bytes set = in_every_order([&] { return backward_weights_on_device<T>(c, numbers, GradMode::kOverwrite); });
  EXPECT_TRUE(exact(elements_of<float>(set, count), expected, DType::kF32));
  const Bytes sum = backward_weights_on_device<T>(c, numbers, GradMode::kAccumulate);
  const auto weights = static_cast<std::size_t>(p.weight_elements());
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] += i < weights ? numbers.weights[i] : numbers.shift[i - weights];
  EXPECT_TRUE(exact(elements_of<float>(sum, count), expected, DType::kF32));
}

TEST_P(Depthwise, BackwardWeightsIsExact) {
  expect_exact_backward_weights<float>(GetParam());
  expect_exact_backward_weights<Bf16>(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, Depthwise, ::testing::ValuesIn(kCases));
INSTANTIATE_TEST_SUITE_P(Models, Depthwise, ::testing::ValuesIn(cases_of_all_models()));

// --- random numbers

class DepthwiseRandom : public KernelTest {};

template <class T>
void expect_within_bounds(const Case& c) {
  const Conv2dProblem p = c.problem();
  const Numbers numbers = {.src = random_values<T>(p.src_elements(), 1),
                           .weights = random_values<float>(p.weight_elements(), 2),
                           .scale = random_values<float>(p.k, 3),
                           .shift = random_values<float>(p.k, 4),
                           .diff_dst = random_values<T>(p.dst_elements(), 5),
                           .diff_src_before = {}};
  const Numbers sizes = {.src = magnitudes(numbers.src),
                         .weights = magnitudes(numbers.weights),
                         .scale = magnitudes(numbers.scale),
                         .shift = magnitudes(numbers.shift),
                         .diff_dst = magnitudes(numbers.diff_dst),
                         .diff_src_before = {}};
  const double taps = p.r * p.s;
  double worst = 0;
  const auto report = [&](const char* what) { ::testing::Test::RecordProperty(what, std::to_string(worst)); };

  const Bounded dst = {.value = forward_reference(p, numbers, Folded::kYes, Activation::kRelu),
                       .magnitude = forward_reference(p, sizes, Folded::kYes, Activation::kNone),
                       .terms = taps + 1};
  const Bytes forward = forward_on_device<T>(c, numbers, Folded::kYes, Activation::kRelu);
  EXPECT_TRUE(within_bound(as_floats(elements_of<T>(forward, p.dst_elements())), dst, kTypeOf<T>, 1, &worst));
  report("forward");

  Bounded diff_src = {.value = numbers.src, .magnitude = numbers.src, .terms = taps};
  reference::conv2d_backward_data(p, numbers.diff_dst.data(), numbers.weights.data(), GradMode::kOverwrite,
                                  diff_src.value.data());
  reference::conv2d_backward_data(p, sizes.diff_dst.data(), sizes.weights.data(), GradMode::kOverwrite,
                                  diff_src.magnitude.data());
  const Bytes data = backward_data_on_device<T>(c, numbers, GradMode::kOverwrite);
  EXPECT_TRUE(within_bound(as_floats(elements_of<T>(data, p.src_elements())), diff_src, kTypeOf<T>, 1, &worst));
  report("backward_data");

  const Bounded weights = {.value = backward_weights_reference(p, numbers.src, numbers.diff_dst),
                           .magnitude = backward_weights_reference(p, sizes.src, sizes.diff_dst),
                           .terms = static_cast<double>(p.n) * p.p() * p.q()};
  const Bytes sums = backward_weights_on_device<T>(c, numbers, GradMode::kOverwrite);
  const auto count = static_cast<std::int64_t>(weights.value.size());
  EXPECT_TRUE(within_bound(elements_of<float>(sums, count), weights, DType::kF32, 1, &worst));
  report("backward_weights");
}

TEST_F(DepthwiseRandom, IsWithinTheBound) {
  for (const Case& c : {Case{2, 9, 10, 48, 3, 1, kSame3}, Case{2, 8, 10, 24, 5, 2, kAfter5, kFewBlocks}}) {
    expect_within_bounds<float>(c);
    expect_within_bounds<Bf16>(c);
  }
}

TEST_F(DepthwiseRandom, KeepsANanThroughRelu) {
  const Case c = {1, 3, 3, 8, 3, 1, {}};
  Numbers numbers = integers_for(c.problem());
  numbers.src[3] = std::numeric_limits<double>::quiet_NaN();
  for (const Activation activation : {Activation::kRelu, Activation::kRelu6}) {
    const auto dst = elements_of<float>(forward_on_device<float>(c, numbers, Folded::kNo, activation), 8);
    for (std::size_t i = 0; i < dst.size(); ++i) EXPECT_EQ(std::isnan(dst[i]), i == 3) << i;
  }
}

TEST_F(DepthwiseRandom, NeedsNoGradientOfTheBias) {
  const Case c = {1, 4, 4, 8, 3, 1, kSame3};
  const Conv2dProblem p = c.problem();
  const Numbers numbers = integers_for(p);
  DeviceArray<float> src(stored_as<float>(numbers.src)), diff_dst(stored_as<float>(numbers.diff_dst)), diff_weights(72);
  DeviceArray<std::byte> workspace(depthwise_backward_weights_workspace(p, DType::kF32));
  CUDACARDS_ASSERT_RUNS(depthwise_backward_weights(p, DType::kF32,
                                                   {.src = src.data(),
                                                    .diff_dst = diff_dst.data(),
                                                    .diff_weights = diff_weights.data(),
                                                    .workspace = reinterpret_cast<float*>(workspace.data())},
                                                   nullptr));
  std::vector<double> expected = backward_weights_reference(p, numbers.src, numbers.diff_dst);
  expected.resize(72);
  EXPECT_TRUE(exact(diff_weights.read(), expected, DType::kF32));
}

TEST(DepthwiseWorkspace, HoldsTenSumsAChannelOfEveryBlock) {
  // 26 lines of 3 strips; a block has 8 groups of channels by 32 strips.
  const Conv2dProblem p = Case{2, 13, 9, 32, 3, 1, kSame3}.problem();
  EXPECT_EQ(depthwise_backward_weights_workspace(p, DType::kF32), 3u * 10 * 32 * sizeof(float));
  EXPECT_EQ(depthwise_backward_weights_workspace(p, DType::kF32, kFewBlocks), 2u * 10 * 32 * sizeof(float));
}

// --- refusals

TEST(DepthwiseSupports, SaysNoWithTheReason) {
  const Conv2dProblem good = Case{1, 5, 5, 8, 3, 1, kSame3}.problem();
  EXPECT_TRUE(depthwise_supports(good, DType::kF32));
  EXPECT_TRUE(depthwise_supports(good, DType::kBf16));
  EXPECT_THAT(depthwise_supports(good, DType::kU8).reason(), HasSubstr("uint8"));
  const auto refused = [&](auto change) {
    Conv2dProblem p = good;
    change(p);
    return depthwise_supports(p, DType::kF32).reason();
  };
  EXPECT_THAT(refused([](auto& p) { p.groups = 4; }), HasSubstr("not depthwise"));
  EXPECT_THAT(refused([](auto& p) { p.k = 16; }), HasSubstr("not depthwise"));
  EXPECT_THAT(refused([](auto& p) { p.s = 5; }), HasSubstr("3x3 and 5x5"));
  EXPECT_THAT(refused([](auto& p) { p.r = p.s = 4; }), HasSubstr("3x3 and 5x5"));
  EXPECT_THAT(refused([](auto& p) { p.stride_w = 2; }), HasSubstr("strides"));
  EXPECT_THAT(refused([](auto& p) { p.stride_w = p.stride_h = 3; }), HasSubstr("strides"));
  EXPECT_THAT(refused([](auto& p) { p.pad.right = -1; }), HasSubstr("padding"));
  EXPECT_THAT(refused([](auto& p) { p.n = 0; }), HasSubstr("1 or more"));
  EXPECT_THAT(refused([](auto& p) { p.h = 1, p.pad.top = 0; }), HasSubstr("larger"));
  EXPECT_THAT(refused([](auto& p) { p.w = 1, p.pad.left = 0; }), HasSubstr("larger"));
  EXPECT_THAT(refused([](auto& p) { p.c = p.k = p.groups = 65536; }), HasSubstr("65535"));
  EXPECT_THAT(refused([](auto& p) { p.n = 1 << 20, p.h = p.w = 64; }), HasSubstr("2^31"));
  EXPECT_THAT(refused([](auto& p) { p.n = 1 << 27, p.h = p.w = 1, p.pad = {4, 4, 4, 4}; }), HasSubstr("2^31"));
}

TEST(DepthwiseLaunchers, RefuseWhatIsUnsupportedOrUnalignedAndIgnoreWhatNobodyWants) {
  const Conv2dProblem p = Case{1, 3, 3, 4, 3, 1, {}}.problem();
  constexpr DType kF32 = DType::kF32, kU8 = DType::kU8;
  alignas(16) float memory[64] = {};
  const auto aligned = HasSubstr("16-byte aligned");
  EXPECT_THAT(depthwise_forward(p, kF32, {.src = memory + 1, .dst = memory}, nullptr).reason(), aligned);
  EXPECT_THAT(depthwise_forward(p, kF32, {.src = memory, .dst = memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(depthwise_backward_data(p, kF32, {.diff_dst = memory + 1, .diff_src = memory}, nullptr).reason(),
              aligned);
  EXPECT_THAT(depthwise_backward_data(p, kF32, {.diff_dst = memory, .diff_src = memory + 1}, nullptr).reason(),
              aligned);
  EXPECT_THAT(depthwise_backward_weights(p, kF32, {.src = memory + 1, .diff_dst = memory}, nullptr).reason(), aligned);
  EXPECT_THAT(depthwise_backward_weights(p, kF32, {.src = memory, .diff_dst = memory + 1}, nullptr).reason(), aligned);
  EXPECT_THAT(depthwise_forward(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(depthwise_backward_data(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_THAT(depthwise_backward_weights(p, kU8, {}, nullptr).reason(), HasSubstr("uint8"));
  EXPECT_TRUE(depthwise_backward_data(p, kF32, {.diff_src_mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(depthwise_backward_weights(p, kF32, {.mode = GradMode::kIgnore}, nullptr));
}

// --- traffic

class DepthwiseTraffic : public KernelTest {};

// Lines wide enough that the lanes that shared memory serves together lie on one line: with stride 2, neighbouring
// lines of diff_src read different taps.
template <class Body>
void for_well_shaped(const Body& body) {
  body(Case{1, 8, 8, 64, 3, 1, kSame3});
  body(Case{1, 4, 32, 96, 3, 2, kAfter3});
  body(Case{1, 8, 8, 64, 5, 1, kSame5});
}

// Staging the filters turns (K,R,S,1) over, see FilterTile::stage: its stores lie 2 deep (3x3) or 4 deep (5x5) on a
// bank, once a block.
constexpr TrafficLimit kWithStaging = {.shared_store = 3.4};

TEST_F(DepthwiseTraffic, ForwardIsWhatTheBytesNeed) {
  expect_traffic("depthwise_forward_kernel", kWithStaging, [] {
    for_well_shaped([](const Case& c) {
      forward_on_device<float>(c, integers_for(c.problem()), Folded::kYes, Activation::kRelu6);
      forward_on_device<Bf16>(c, integers_for(c.problem()), Folded::kYes, Activation::kRelu6);
    });
  });
}

TEST_F(DepthwiseTraffic, BackwardDataIsWhatTheBytesNeed) {
  expect_traffic("depthwise_backward_data_kernel", kWithStaging, [] {
    for_well_shaped([](const Case& c) {
      backward_data_on_device<float>(c, integers_for(c.problem()), GradMode::kAccumulate);
      backward_data_on_device<Bf16>(c, integers_for(c.problem()), GradMode::kAccumulate);
    });
  });
}

TEST_F(DepthwiseTraffic, BackwardWeightsIsWhatTheBytesNeed) {
  const auto run = [] {
    for_well_shaped([](const Case& c) {
      backward_weights_on_device<float>(c, integers_for(c.problem()), GradMode::kOverwrite);
      backward_weights_on_device<Bf16>(c, integers_for(c.problem()), GradMode::kOverwrite);
    });
  };
  expect_traffic("depthwise_backward_weights_kernel", {}, run);
  // The sums of one tap are R * S floats apart in (K,R,S,1): a sector a sum, K * R * S in all.
  expect_traffic("depthwise_sum_blocks_kernel", {.global_store = 8}, run);
}

}  // namespace
}  // namespace cudacards::testing
