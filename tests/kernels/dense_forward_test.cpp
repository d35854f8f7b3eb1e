// dst = activation(src * weights^T + bias + residual), in every tile, split and not, of whole and ragged sizes.

#include <gmock/gmock.h>

#include <limits>

#include "tests/kernels/support/dense_case.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

enum class Operand : std::uint8_t { kAbsent, kPresent };

struct Extras {
  Operand bias = Operand::kPresent, residual = Operand::kPresent;
};

/// T * T to Dst, which the residual has too.
template <class T, class Dst = T>
Bytes forward_on_device(const DenseData<T>& data, const Extras& extras) {
  DeviceArray<T> src(data.src, "src"), weights(data.weights, "weights");
  DeviceArray<Dst> residual(std::vector<Dst>(data.residual.begin(), data.residual.end()), "residual");
  DeviceArray<float> bias(data.bias, "bias");
  DeviceArray<Dst> dst(data.dst.size(), "dst");
  DeviceArray<std::byte> workspace(dense_forward_workspace_bytes(data.p), "workspace");
  CUDACARDS_EXPECT_RUNS(dense_forward(data.p, kTypeOf<T>, kTypeOf<Dst>,
                                      {.src = src.data(),
                                       .weights = weights.data(),
                                       .bias = extras.bias == Operand::kPresent ? bias.data() : nullptr,
                                       .residual = extras.residual == Operand::kPresent ? residual.data() : nullptr,
                                       .dst = dst.data(),
                                       .workspace = workspace.size() > 0 ? workspace.data() : nullptr},
                                      nullptr));
  return bytes_of(dst);
}

template <class T>
std::vector<float> values_of(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return floats(values);
}

template <class T>
Bounded reference(const DenseData<T>& data, const Extras& extras) {
  const DenseProblem& p = data.p;
  Bounded result = product(
      p.rows, p.units, p.in, [&](int row, int k) { return data.src_at(row, k); },
      [&](int unit, int k) { return data.weight_at(unit, k); });
  for (std::size_t i = 0; i < result.value.size(); ++i) {
    double& sum = result.value[i];
    const double bias = static_cast<double>(data.bias[i % static_cast<std::size_t>(p.units)]);
    const double residual = static_cast<double>(static_cast<float>(data.residual[i]));
    for (const auto& [operand, value] : {std::pair{extras.bias, bias}, std::pair{extras.residual, residual}}) {
      if (operand == Operand::kAbsent) continue;
      sum += value;
      result.magnitude[i] += std::abs(value);
    }
    sum = apply(p.activation, sum);
  }
  return result;
}

template <class T, class Dst = T>
void expect_exact(const DenseProblem& problem, const Extras& extras) {
  const DenseData<T> data(problem, Numbers::kIntegers);
  const Bytes actual = in_every_order([&] { return forward_on_device<T, Dst>(data, extras); });
  const Bounded expected = reference(data, extras);
  EXPECT_TRUE(trusted(expected.value));
  EXPECT_TRUE(exact(values_of<Dst>(actual), expected.value, kTypeOf<Dst>)) << name_of(kTypeOf<T>);
}

class DenseForward : public KernelTest, public ::testing::WithParamInterface<DenseCase> {};

TEST_P(DenseForward, IsExactOnIntegers) {
  expect_exact<float>(problem_of(GetParam()), {});
  expect_exact<Bf16>(problem_of(GetParam()), {});
  expect_exact<Bf16, float>(problem_of(GetParam()), {});
  expect_exact<float>(in_tf32(problem_of(GetParam())), {});
}

constexpr Activation kNone = Activation::kNone, kRelu = Activation::kRelu, kRelu6 = Activation::kRelu6;

INSTANTIATE_TEST_SUITE_P(
    Sizes, DenseForward,
    ::testing::Values(DenseCase{1, 1, 1},                                            // one element
                      DenseCase{1, 1280, 53, kRelu6},                                // a head, one picture
                      DenseCase{1, 3, 5, kRelu},                                     //
                      DenseCase{32, 64, 128, kRelu},                                 // the flat tile, exactly
                      DenseCase{33, 72, 136, kRelu},                                 // one more of each
                      DenseCase{5, 53, 7, kRelu6}, DenseCase{37, 31, 131, kNone},    // ragged
                      DenseCase{32, 1032, 129, kRelu},                               // sliced, ragged in k and units
                      DenseCase{9, 521, 53, kRelu},                                  // sliced, element by element
                      DenseCase{49, 96, 24, kNone}, DenseCase{131, 16, 32, kRelu6},  // 1 x 1, few channels: narrow
                      DenseCase{98, 24, 144, kRelu6, MatmulPlan{kLarge, 1}},         // 1 x 1, expansion
                      DenseCase{128, 32, 128, kRelu, MatmulPlan{kLarge, 1}},         // the large tile, exactly
                      DenseCase{136, 168, 132, kRelu, MatmulPlan{kLarge, 1}},        // more slabs than stages
                      DenseCase{130, 136, 40, kNone, MatmulPlan{kLarge, 2}},         // sliced
                      DenseCase{150, 328, 36, kRelu, MatmulPlan{kNarrow, 3}},        // sliced
                      DenseCase{17, 328, 260, kRelu, MatmulPlan{kFlat, 1}},          // more slabs than stages
                      DenseCase{3, 1160, 6, kNone, MatmulPlan{kFlat, 17}}));         // more slices than eight

class DenseForwardOperands : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Models, DenseForward, ::testing::ValuesIn(dense_cases_of_models()));

TEST_F(DenseForwardOperands, MayBeAbsent) {
  for (const Extras extras : {Extras{Operand::kAbsent, Operand::kAbsent}, Extras{Operand::kPresent, Operand::kAbsent},
                              Extras{Operand::kAbsent, Operand::kPresent}}) {
    for (const int units : {24, 7}) {
      expect_exact<float>({.rows = 4, .in = 16, .units = units}, extras);
      expect_exact<Bf16>({.rows = 4, .in = 16, .units = units}, extras);
      expect_exact<Bf16, float>({.rows = 4, .in = 16, .units = units}, extras);
    }
  }
}

template <class T, class Dst = T>
void expect_bounded(const DenseProblem& problem) {
  DenseData<T> data(problem, Numbers::kRandom);
  double worst = 0;
  const Bytes actual = forward_on_device<T, Dst>(data, {});
  EXPECT_TRUE(within_bound(values_of<Dst>(actual), reference(data, {}), kTypeOf<Dst>, 1, &worst));
  ::testing::Test::RecordProperty(std::string("worst_") + name_of(kTypeOf<T>), std::to_string(worst));
}

TEST_F(DenseForwardOperands, StayWithinTheBoundOnRandomNumbers) {
  for (const MatmulPlan plan : {MatmulPlan{kFlat, 1}, MatmulPlan{kFlat, 3}, MatmulPlan{kLarge, 1}}) {
    expect_bounded<float>({.rows = 21, .in = 320, .units = 60, .activation = kRelu, .plan = plan});
    expect_bounded<Bf16>({.rows = 21, .in = 320, .units = 60, .activation = kRelu, .plan = plan});
    expect_bounded<Bf16, float>({.rows = 21, .in = 320, .units = 60, .activation = kRelu, .plan = plan});
    // Against products of rounded factors: fp32's would be far outside.
    expect_bounded<float>(in_tf32({.rows = 21, .in = 320, .units = 60, .activation = kRelu, .plan = plan}));
  }
  expect_bounded<float>(in_tf32({.rows = 21, .in = 39, .units = 7}));
}

template <class T>
void expect_that_nan_stays(Factors factors = Factors::kExact) {
  DenseData<T> data({.rows = 3, .in = 40, .units = 9, .activation = kRelu6, .factors = factors}, Numbers::kIntegers);
  data.src[40 + 17] = T(std::numeric_limits<float>::quiet_NaN());  // row 1
  const std::vector<float> dst = values_of<T>(forward_on_device(data, {}));
  for (std::size_t i = 0; i < dst.size(); ++i) EXPECT_EQ(std::isnan(dst[i]), i / 9 == 1) << i;
}

TEST_F(DenseForwardOperands, KeepNanThroughTheActivation) {
  expect_that_nan_stays<float>();
  expect_that_nan_stays<Bf16>();
  expect_that_nan_stays<float>(Factors::kTf32);
}

TEST_F(DenseForwardOperands, MayShareTheResidualsMemoryWithDst) {
  const DenseData<float> data({.rows = 33, .in = 24, .units = 36}, Numbers::kIntegers);
  DeviceArray<float> src(data.src), weights(data.weights), bias(data.bias), dst(data.residual);
  CUDACARDS_ASSERT_RUNS(dense_forward(
      data.p, DType::kF32, DType::kF32,
      {.src = src.data(), .weights = weights.data(), .bias = bias.data(), .residual = dst.data(), .dst = dst.data()},
      nullptr));
  EXPECT_TRUE(exact(dst.read(), reference(data, {}).value, DType::kF32));
}

class DenseForwardTraffic : public KernelTest {};

// Inputs are multiples of 16, so that rows of bf16 begin with a sector.
TEST_F(DenseForwardTraffic, IsWhatTheBytesNeed) {
  expect_traffic("_kernel", {}, [] {
    for (const MatmulPlan plan :
         {MatmulPlan{kLarge, 1}, MatmulPlan{kFlat, 1}, MatmulPlan{kFlat, 2}, MatmulPlan{kNarrow, 1}}) {
      const DenseProblem problem{.rows = 128, .in = 192, .units = 128, .activation = kRelu, .plan = plan};
      forward_on_device(DenseData<float>(problem, Numbers::kIntegers), {});
      forward_on_device(DenseData<Bf16>(problem, Numbers::kIntegers), {});
      forward_on_device<Bf16, float>(DenseData<Bf16>(problem, Numbers::kIntegers), {});
      forward_on_device(DenseData<float>(in_tf32(problem), Numbers::kIntegers), {});
    }
  });
}

TEST(DenseSupports, SaysNoWithTheReason) {
  EXPECT_TRUE(dense_supports({.rows = 1, .in = 1, .units = 1}, DType::kF32));
  EXPECT_TRUE(dense_supports({.rows = 1 << 30, .in = 64, .units = 64}, DType::kBf16));
  constexpr int kMany = 1 << 18;
  EXPECT_TRUE(dense_supports({.rows = kMany, .in = kMany, .units = kMany}, DType::kBf16));
  for (const DenseProblem& p :
       {DenseProblem{.rows = kMany, .in = kMany + 1}, DenseProblem{.in = kMany, .units = kMany + 1},
        DenseProblem{.rows = kMany + 1, .units = kMany}})
    EXPECT_THAT(dense_supports(p, DType::kF32).reason(), HasSubstr("2^36"));
  EXPECT_THAT(dense_supports({}, DType::kU8).reason(), HasSubstr("uint8"));
  for (const DenseProblem& p : {DenseProblem{.rows = 0}, DenseProblem{.in = 0}, DenseProblem{.units = -1}})
    EXPECT_THAT(dense_supports(p, DType::kF32).reason(), HasSubstr("1 or more"));
  constexpr int kTooMany = (1 << 30) + 1;
  for (const DenseProblem& p :
       {DenseProblem{.rows = kTooMany}, DenseProblem{.in = kTooMany}, DenseProblem{.units = kTooMany}})
    EXPECT_THAT(dense_supports(p, DType::kF32).reason(), HasSubstr("2^30"));
  EXPECT_TRUE(dense_supports({.plan = MatmulPlan{kFlat, 65535}}, DType::kF32));
  for (const int slices : {0, 65536})
    EXPECT_THAT(dense_supports({.plan = MatmulPlan{kFlat, slices}}, DType::kF32).reason(), HasSubstr("65535"));
}

TEST(DenseForwardSupports, StoresWhatItMultipliesOrFp32) {
  EXPECT_TRUE(dense_forward_supports({}, DType::kF32, DType::kF32));
  EXPECT_TRUE(dense_forward_supports({}, DType::kBf16, DType::kBf16));
  EXPECT_TRUE(dense_forward_supports({}, DType::kBf16, DType::kF32));
  EXPECT_THAT(dense_forward_supports({}, DType::kF32, DType::kBf16).reason(), HasSubstr("from fp32 to bf16"));
  EXPECT_THAT(dense_forward_supports({}, DType::kBf16, DType::kU8).reason(), HasSubstr("to uint8"));
  EXPECT_THAT(dense_forward_supports({.rows = 0}, DType::kBf16, DType::kF32).reason(), HasSubstr("1 or more"));
}

TEST(DenseForwardLauncher, RefusesWhatItCannotUse) {
  alignas(16) float memory[8] = {};
  const DenseForwardArgs good{.src = memory, .weights = memory, .bias = memory, .residual = memory, .dst = memory};
  const auto reason = [](const DenseProblem& p, const DenseForwardArgs& args) {
    return dense_forward(p, DType::kF32, DType::kF32, args, nullptr).reason();
  };
  EXPECT_THAT(reason({.rows = 0}, good), HasSubstr("1 or more"));
  for (const auto member : {&DenseForwardArgs::src, &DenseForwardArgs::weights, &DenseForwardArgs::residual}) {
    DenseForwardArgs args = good;
    args.*member = memory + 1;
    EXPECT_THAT(reason({}, args), HasSubstr("16-byte aligned"));
  }
  for (const auto member : {&DenseForwardArgs::src, &DenseForwardArgs::weights}) {
    DenseForwardArgs args = good;
    args.*member = nullptr;
    EXPECT_THAT(reason({}, args), HasSubstr("must be given"));
  }
  DenseForwardArgs args = good;
  args.dst = nullptr;
  EXPECT_THAT(reason({}, args), HasSubstr("must be given"));
  EXPECT_THAT(reason({.in = 100352}, good), HasSubstr("workspace"));
}

}  // namespace
}  // namespace cudacards::testing
