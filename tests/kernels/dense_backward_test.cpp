// Gradients of the dense layer: dgrad and wgrad with the activation's mask, the bias gradient, GradMode.

#include <gmock/gmock.h>

#include <limits>

#include "tests/kernels/support/dense_case.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

/// What the gradients are before a launch: kAccumulate adds to it, kOverwrite must not read it.
template <class T>
DeviceArray<T> gradient_array(std::int64_t count, GradMode mode, const char* name) {
  if (mode == GradMode::kOverwrite) return DeviceArray<T>(static_cast<std::size_t>(count), name);
  return DeviceArray<T>(filled<T>(count, Numbers::kIntegers, -4, 4, 9), name);
}

/// expected + what was there before, where the mode says so.
void add_before(Bounded& expected, GradMode mode) {
  if (mode != GradMode::kAccumulate) return;
  const auto before = filled<float>(static_cast<std::int64_t>(expected.value.size()), Numbers::kIntegers, -4, 4, 9);
  for (std::size_t i = 0; i < before.size(); ++i) expected.value[i] += static_cast<double>(before[i]);
}

template <class T>
std::vector<float> values_of(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return floats(values);
}

// --- dgrad

template <class T>
Bytes dgrad_on_device(const DenseData<T>& data, GradMode mode) {
  DeviceArray<T> diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst"), weights(data.weights, "weights");
  DeviceArray<T> diff_src = gradient_array<T>(data.p.src_elements(), mode, "diff_src");
  const bool is_linear = data.p.activation == Activation::kNone;
  CUDACARDS_EXPECT_RUNS(dense_dgrad(data.p, kTypeOf<T>,
                                    {.diff_dst = diff_dst.data(),
                                     .dst = is_linear ? nullptr : dst.data(),
                                     .weights = weights.data(),
                                     .mode = mode,
                                     .diff_src = diff_src.data()},
                                    nullptr));
  return bytes_of(diff_src);
}

template <class T>
Bounded dgrad_reference(const DenseData<T>& data) {
  return product(
      data.p.rows, data.p.in, data.p.units, [&](int row, int k) { return data.diff_at(row, k); },
      [&](int in, int k) { return data.weight_at(k, in); });
}

template <class T>
void expect_exact_dgrad(const DenseProblem& problem, GradMode mode) {
  const DenseData<T> data(problem, Numbers::kIntegers);
  const Bytes actual = in_every_order([&] { return dgrad_on_device(data, mode); });
  Bounded expected = dgrad_reference(data);
  add_before(expected, mode);
  EXPECT_TRUE(trusted(expected.value));
  EXPECT_TRUE(exact(values_of<T>(actual), expected.value, kTypeOf<T>)) << name_of(kTypeOf<T>);
}

// --- wgrad

template <class T>
struct WgradResult {
  Bytes weights, bias;
  bool operator==(const WgradResult&) const = default;
};

template <class T>
WgradResult<T> wgrad_on_device(const DenseData<T>& data, GradMode mode) {
  const DenseProblem& p = data.p;
  DeviceArray<T> src(data.src, "src"), diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst");
  DeviceArray<float> diff_weights = gradient_array<float>(p.weight_elements(), mode, "diff_weights");
  DeviceArray<float> diff_bias = gradient_array<float>(p.units, mode, "diff_bias");
  DeviceArray<std::byte> workspace(dense_wgrad_workspace_bytes(p), "workspace");
  CUDACARDS_EXPECT_RUNS(dense_wgrad(p, kTypeOf<T>,
                                    {.src = src.data(),
                                     .diff_dst = diff_dst.data(),
                                     .dst = p.activation == Activation::kNone ? nullptr : dst.data(),
                                     .mode = mode,
                                     .diff_weights = diff_weights.data(),
                                     .diff_bias = diff_bias.data(),
                                     .workspace = workspace.size() > 0 ? workspace.data() : nullptr},
                                    nullptr));
  return {bytes_of(diff_weights), bytes_of(diff_bias)};
}

template <class T>
Bounded wgrad_reference(const DenseData<T>& data) {
  return product(
      data.p.units, data.p.in, data.p.rows, [&](int unit, int row) { return data.diff_at(row, unit); },
      [&](int in, int row) { return data.src_at(row, in); });
}
template <class T>
Bounded bias_reference(const DenseData<T>& data) {
  return product(
      data.p.units, 1, data.p.rows, [&](int unit, int row) { return data.diff_at(row, unit); },
      [](int, int) { return 1.0; });
}

template <class T>
void expect_exact_wgrad(const DenseProblem& problem, GradMode mode) {
  const DenseData<T> data(problem, Numbers::kIntegers);
  const auto actual = in_every_order([&] { return wgrad_on_device(data, mode); });
  Bounded weights = wgrad_reference(data), bias = bias_reference(data);
  add_before(weights, mode);
  add_before(bias, mode);
  EXPECT_TRUE(trusted(weights.value));
  EXPECT_TRUE(exact(values_of<float>(actual.weights), weights.value, DType::kF32)) << name_of(kTypeOf<T>);
  EXPECT_TRUE(exact(values_of<float>(actual.bias), bias.value, DType::kF32)) << name_of(kTypeOf<T>) << ", bias";
}

// --- both

constexpr Activation kNone = Activation::kNone, kRelu = Activation::kRelu, kRelu6 = Activation::kRelu6;

class DenseDgrad : public KernelTest, public ::testing::WithParamInterface<DenseCase> {};

TEST_P(DenseDgrad, IsExactOnIntegers) {
  expect_exact_dgrad<float>(problem_of(GetParam()), GradMode::kOverwrite);
  expect_exact_dgrad<Bf16>(problem_of(GetParam()), GradMode::kOverwrite);
  expect_exact_dgrad<float>(in_tf32(problem_of(GetParam())), GradMode::kOverwrite);
}

INSTANTIATE_TEST_SUITE_P(Sizes, DenseDgrad,
                         ::testing::Values(DenseCase{1, 1, 1},             // one element
                                           DenseCase{1, 1280, 53, kNone},  // a head, one picture
                                           DenseCase{32, 128, 64, kRelu},  // the flat tile, exactly
                                           DenseCase{33, 136, 72, kRelu},  // one more of each
                                           DenseCase{5, 7, 53, kRelu6}, DenseCase{35, 131, 17},    // ragged
                                           DenseCase{49, 24, 96, kRelu6}, DenseCase{131, 32, 16},  // 1 x 1: narrow
                                           DenseCase{98, 144, 24, kRelu6, MatmulPlan{kLarge, 1}},
                                           DenseCase{128, 128, 32, kNone, MatmulPlan{kLarge, 1}},
                                           DenseCase{136, 132, 168, kRelu, MatmulPlan{kLarge, 1}},
                                           DenseCase{130, 40, 328, kRelu6, MatmulPlan{kNarrow, 1}},
                                           DenseCase{17, 260, 328, kRelu, MatmulPlan{kFlat, 1}}));
INSTANTIATE_TEST_SUITE_P(Models, DenseDgrad, ::testing::ValuesIn(dense_cases_of_models()));

class DenseWgrad : public KernelTest, public ::testing::WithParamInterface<DenseCase> {};

TEST_P(DenseWgrad, IsExactOnIntegers) {
  expect_exact_wgrad<float>(problem_of(GetParam()), GradMode::kOverwrite);
  expect_exact_wgrad<Bf16>(problem_of(GetParam()), GradMode::kOverwrite);
  expect_exact_wgrad<float>(in_tf32(problem_of(GetParam())), GradMode::kOverwrite);
}

INSTANTIATE_TEST_SUITE_P(Sizes, DenseWgrad,
                         ::testing::Values(DenseCase{1, 1, 1},              // one element
                                           DenseCase{1, 40, 5, kNone},      // one row
                                           DenseCase{64, 128, 32, kRelu},   // the flat tile, exactly
                                           DenseCase{72, 136, 40, kRelu},   // more
                                           DenseCase{32, 264, 53, kRelu6},  // a head
                                           DenseCase{5, 7, 53, kRelu6}, DenseCase{17, 131, 35},  // ragged
                                           DenseCase{521, 13, 6, kRelu},     // sliced, element by element
                                           DenseCase{1000, 16, 96, kRelu6},  // 1 x 1, sliced: narrow
                                           DenseCase{600, 96, 24, kNone},    // 1 x 1, sliced: flat
                                           DenseCase{70, 136, 136, kRelu6, MatmulPlan{kLarge, 1}},
                                           DenseCase{32, 128, 128, kRelu, MatmulPlan{kLarge, 1}},
                                           DenseCase{168, 132, 36, kNone, MatmulPlan{kLarge, 1}},
                                           DenseCase{130, 72, 40, kRelu, MatmulPlan{kLarge, 2}},
                                           DenseCase{328, 40, 132, kRelu6, MatmulPlan{kNarrow, 1}},
                                           DenseCase{328, 132, 36, kRelu, MatmulPlan{kFlat, 1}}));
INSTANTIATE_TEST_SUITE_P(Models, DenseWgrad, ::testing::ValuesIn(dense_cases_of_models()));

class DenseBackward : public KernelTest {};

TEST_F(DenseBackward, AddsWhereItIsAskedTo) {
  for (const int units : {24, 21}) {
    const DenseProblem problem{.rows = 11, .in = 40, .units = units, .activation = kRelu};
    expect_exact_dgrad<float>(problem, GradMode::kAccumulate);
    expect_exact_dgrad<Bf16>(problem, GradMode::kAccumulate);
    expect_exact_wgrad<float>(problem, GradMode::kAccumulate);
    expect_exact_wgrad<Bf16>(problem, GradMode::kAccumulate);
  }
  const DenseProblem sliced{.rows = 140, .in = 40, .units = 24, .activation = kRelu, .plan = MatmulPlan{kFlat, 3}};
  expect_exact_wgrad<float>(sliced, GradMode::kAccumulate);
}

TEST_F(DenseBackward, StartsNothingForGradientsThatNobodyWants) {
  EXPECT_TRUE(dense_dgrad({}, DType::kF32, {.mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(dense_wgrad({}, DType::kF32, {.mode = GradMode::kIgnore}, nullptr));
}

TEST_F(DenseBackward, LeavesOutABiasThatIsNotThere) {
  for (const int slices : {1, 2}) {
    const DenseData<float> data({.rows = 90, .in = 8, .units = 8, .plan = MatmulPlan{kFlat, slices}},
                                Numbers::kIntegers);
    DeviceArray<float> src(data.src), diff_dst(data.diff_dst), diff_weights(data.weights.size());
    DeviceArray<std::byte> workspace(dense_wgrad_workspace_bytes(data.p));
    CUDACARDS_ASSERT_RUNS(dense_wgrad(data.p, DType::kF32,
                                      {.src = src.data(),
                                       .diff_dst = diff_dst.data(),
                                       .diff_weights = diff_weights.data(),
                                       .workspace = workspace.size() > 0 ? workspace.data() : nullptr},
                                      nullptr));
    EXPECT_TRUE(exact(diff_weights.read(), wgrad_reference(data).value, DType::kF32));
  }
}

template <class T>
void expect_bounded(const DenseProblem& problem) {
  const DenseData<T> data(problem, Numbers::kRandom);
  EXPECT_TRUE(
      within_bound(values_of<T>(dgrad_on_device(data, GradMode::kOverwrite)), dgrad_reference(data), kTypeOf<T>, 1));
  const auto gradients = wgrad_on_device(data, GradMode::kOverwrite);
  EXPECT_TRUE(within_bound(values_of<float>(gradients.weights), wgrad_reference(data), DType::kF32, 1));
  EXPECT_TRUE(within_bound(values_of<float>(gradients.bias), bias_reference(data), DType::kF32, 1));
}

TEST_F(DenseBackward, StaysWithinTheBoundOnRandomNumbers) {
  for (const MatmulPlan plan : {MatmulPlan{kFlat, 1}, MatmulPlan{kFlat, 3}, MatmulPlan{kLarge, 1}}) {
    const DenseProblem problem{.rows = 200, .in = 48, .units = 40, .activation = kRelu6, .plan = plan};
    expect_bounded<float>(problem);
    expect_bounded<Bf16>(problem);
    expect_bounded<float>(in_tf32(problem));  // against products of rounded factors
  }
}

/// A NaN where the derivative is 0 is a NaN all the same.
template <class T>
void expect_that_nan_stays(Factors factors = Factors::kExact) {
  DenseData<T> data({.rows = 3, .in = 8, .units = 16, .activation = kRelu, .factors = factors}, Numbers::kIntegers);
  data.dst[16 + 5] = T(0.0f);  // row 1, unit 5
  data.diff_dst[16 + 5] = T(std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> diff_src = values_of<T>(dgrad_on_device(data, GradMode::kOverwrite));
  for (std::size_t i = 0; i < diff_src.size(); ++i) EXPECT_EQ(std::isnan(diff_src[i]), i / 8 == 1) << i;
  const auto gradients = wgrad_on_device(data, GradMode::kOverwrite);
  const std::vector<float> weights = values_of<float>(gradients.weights), bias = values_of<float>(gradients.bias);
  for (std::size_t i = 0; i < weights.size(); ++i) EXPECT_EQ(std::isnan(weights[i]), i / 8 == 5) << i;
  for (std::size_t i = 0; i < bias.size(); ++i) EXPECT_EQ(std::isnan(bias[i]), i == 5) << i;
}

TEST_F(DenseBackward, KeepsNan) {
  expect_that_nan_stays<float>();
  expect_that_nan_stays<Bf16>();
  expect_that_nan_stays<float>(Factors::kTf32);
}

// Sizes are multiples of 16, so that rows of bf16 begin with a sector.
TEST_F(DenseBackward, TakesTheTrafficThatTheBytesNeed) {
  expect_traffic("_kernel", {}, [] {
    for (const MatmulPlan plan :
         {MatmulPlan{kLarge, 1}, MatmulPlan{kFlat, 1}, MatmulPlan{kFlat, 2}, MatmulPlan{kNarrow, 1}}) {
      const DenseProblem problem{.rows = 128, .in = 128, .units = 128, .activation = kRelu, .plan = plan};
      const DenseData<float> wide(problem, Numbers::kIntegers);
      const DenseData<Bf16> narrow(problem, Numbers::kIntegers);
      dgrad_on_device(wide, GradMode::kOverwrite);
      dgrad_on_device(narrow, GradMode::kOverwrite);
      wgrad_on_device(wide, GradMode::kOverwrite);
      wgrad_on_device(narrow, GradMode::kOverwrite);
      const DenseData<float> rounded(in_tf32(problem), Numbers::kIntegers);
      dgrad_on_device(rounded, GradMode::kOverwrite);
      wgrad_on_device(rounded, GradMode::kOverwrite);
    }
  });
}

TEST(DenseBackwardLaunchers, RefuseWhatTheyCannotUse) {
  alignas(16) float memory[8] = {};
  const DenseDgradArgs dgrad{.diff_dst = memory, .dst = memory, .weights = memory, .diff_src = memory};
  const DenseWgradArgs wgrad{
      .src = memory, .diff_dst = memory, .dst = memory, .diff_weights = memory, .diff_bias = memory};
  const DenseProblem relu{.activation = kRelu};
  const auto of_dgrad = [&](const DenseProblem& p, const DenseDgradArgs& args) {
    return dense_dgrad(p, DType::kF32, args, nullptr).reason();
  };
  const auto of_wgrad = [&](const DenseProblem& p, const DenseWgradArgs& args) {
    return dense_wgrad(p, DType::kF32, args, nullptr).reason();
  };
  EXPECT_THAT(of_dgrad({.rows = 0}, dgrad), HasSubstr("1 or more"));
  EXPECT_THAT(of_wgrad({.rows = 0}, wgrad), HasSubstr("1 or more"));
  for (const auto member : {&DenseDgradArgs::diff_dst, &DenseDgradArgs::dst, &DenseDgradArgs::weights}) {
    DenseDgradArgs args = dgrad;
    args.*member = memory + 1;
    EXPECT_THAT(of_dgrad(relu, args), HasSubstr("16-byte aligned"));
    args.*member = nullptr;
    EXPECT_THAT(of_dgrad(relu, args), HasSubstr("must be given"));
  }
  for (const auto member : {&DenseWgradArgs::src, &DenseWgradArgs::diff_dst, &DenseWgradArgs::dst}) {
    DenseWgradArgs args = wgrad;
    args.*member = memory + 1;
    EXPECT_THAT(of_wgrad(relu, args), HasSubstr("16-byte aligned"));
    args.*member = nullptr;
    EXPECT_THAT(of_wgrad(relu, args), HasSubstr("must be given"));
  }
  DenseWgradArgs args = wgrad;
  args.diff_bias = memory + 1;
  EXPECT_THAT(of_wgrad(relu, args), HasSubstr("16-byte aligned"));
  EXPECT_THAT(of_wgrad({.rows = 100352}, wgrad), HasSubstr("workspace"));
}

}  // namespace
}  // namespace cudacards::testing
