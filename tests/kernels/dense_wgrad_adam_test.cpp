// wgrad fused into Adam: the same bytes as dense_wgrad followed by the CPU's optimizer.

#include <gmock/gmock.h>

#include "host/ops/optimizer.h"
#include "tests/kernels/support/dense_case.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

constexpr float kRate = 0.01f, kDecay = 0.9f;

/// The state before and after a step.
struct State {
  std::vector<float> weights, moment1, moment2, average, diff_bias;
  std::vector<Bf16> copy;

  static State before(const DenseProblem& p) {
    const std::int64_t count = p.weight_elements();
    State state;
    state.weights = filled<float>(count, Numbers::kRandom, -1, 1, 11);
    state.moment1 = filled<float>(count, Numbers::kRandom, -2, 2, 12);
    state.moment2 = filled<float>(count, Numbers::kRandom, 0, 3, 13);
    state.average = filled<float>(count, Numbers::kRandom, -1, 1, 14);
    state.diff_bias = filled<float>(p.units, Numbers::kIntegers, -4, 4, 15);
    return state;
  }
};

template <class T>
Bytes fused_on_device(const DenseData<T>& data, const DenseUpdate& update, std::uint64_t step, GradMode bias_mode) {
  const State state = State::before(data.p);
  DeviceArray<T> src(data.src, "src"), diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst");
  DeviceArray<float> weights(state.weights, "weights"), moment1(state.moment1, "moment1");
  DeviceArray<float> moment2(state.moment2, "moment2"), average(state.average, "average");
  DeviceArray<float> diff_bias(state.diff_bias, "diff_bias");
  DeviceArray<Bf16> copy(state.weights.size(), "bf16_weights");
  DeviceArray<OptimizerClock> clock(std::vector{optimizer_clock(update.options, step, kRate, kDecay)}, "clock");
  CUDACARDS_EXPECT_RUNS(dense_wgrad_adam(data.p, kTypeOf<T>, update,
                                         {.src = src.data(),
                                          .diff_dst = diff_dst.data(),
                                          .dst = data.p.activation == Activation::kNone ? nullptr : dst.data(),
                                          .weights = weights.data(),
                                          .moment1 = moment1.data(),
                                          .moment2 = moment2.data(),
                                          .average = average.data(),
                                          .bf16_weights = copy.data(),
                                          .bias_mode = bias_mode,
                                          .diff_bias = diff_bias.data(),
                                          .clock = clock.data()},
                                         nullptr));
  return bytes_of(weights, moment1, moment2, average, diff_bias, copy);
}

/// The same in two: the gradient by dense_wgrad, the update by the CPU's optimizer.
template <class T>
Bytes in_two_steps(const DenseData<T>& data, const DenseUpdate& update, std::uint64_t step, GradMode bias_mode) {
  State state = State::before(data.p);
  DeviceArray<T> src(data.src, "src"), diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst");
  DeviceArray<float> diff_weights(state.weights.size(), "diff_weights"), diff_bias(state.diff_bias.size(), "diff_bias");
  CUDACARDS_EXPECT_RUNS(dense_wgrad(data.p, kTypeOf<T>,
                                    {.src = src.data(),
                                     .diff_dst = diff_dst.data(),
                                     .dst = dst.data(),
                                     .diff_weights = diff_weights.data(),
                                     .diff_bias = diff_bias.data()},
                                    nullptr));
  const OptimizerSegment segment{
      .begin = 0, .end = data.p.weight_elements(), .decays = update.decays, .rate_scale = update.rate_scale};
  optimizer_step(update.options, std::span(&segment, 1), kRate, step, state.weights, diff_weights.read(), state.moment1,
                 state.moment2, state.average, kDecay);
  for (const float w : state.weights) state.copy.push_back(Bf16(w));
  const std::vector<float> bias = diff_bias.read();
  for (std::size_t i = 0; i < bias.size(); ++i) {
    if (bias_mode == GradMode::kOverwrite) state.diff_bias[i] = bias[i];
    if (bias_mode == GradMode::kAccumulate) state.diff_bias[i] += bias[i];
  }
  Bytes all;
  const auto append = [&](const auto& values) {
    const auto* begin = reinterpret_cast<const std::byte*>(values.data());
    all.insert(all.end(), begin, begin + values.size() * sizeof(values[0]));
  };
  append(state.weights), append(state.moment1), append(state.moment2), append(state.average), append(state.diff_bias);
  append(state.copy);
  return all;
}

template <class T>
void expect_the_optimizers_bytes(const DenseProblem& problem, const DenseUpdate& update, GradMode bias_mode) {
  const DenseData<T> data(problem, Numbers::kRandom);
  for (const std::uint64_t step : {0u, 7u}) {
    const Bytes actual = in_every_order([&] { return fused_on_device(data, update, step, bias_mode); });
    EXPECT_TRUE(actual == in_two_steps(data, update, step, bias_mode)) << name_of(kTypeOf<T>) << ", step " << step;
  }
}

constexpr Activation kNone = Activation::kNone, kRelu = Activation::kRelu;

class DenseWgradAdam : public KernelTest, public ::testing::WithParamInterface<DenseCase> {};

TEST_P(DenseWgradAdam, GivesTheOptimizersBytes) {
  const DenseUpdate update{
      .options = {.kind = OptimizerKind::kAdamW, .weight_decay = 0.1f}, .decays = true, .rate_scale = 0.5f};
  expect_the_optimizers_bytes<float>(problem_of(GetParam()), update, GradMode::kOverwrite);
  expect_the_optimizers_bytes<Bf16>(problem_of(GetParam()), update, GradMode::kOverwrite);
}

INSTANTIATE_TEST_SUITE_P(Sizes, DenseWgradAdam,
                         ::testing::Values(DenseCase{1, 1, 1}, DenseCase{32, 136, 53, kRelu},
                                           DenseCase{5, 13, 7, kRelu},
                                           DenseCase{32, 264, 32, kRelu, MatmulPlan{kFlat, 1}},
                                           DenseCase{33, 264, 128, kRelu, MatmulPlan{kLarge, 1}},
                                           DenseCase{40, 40, 136, kNone, MatmulPlan{kNarrow, 1}}));
INSTANTIATE_TEST_SUITE_P(Models, DenseWgradAdam, ::testing::ValuesIn(dense_cases(model_problems().dense)));

class DenseWgradAdamOptions : public KernelTest {};

TEST_F(DenseWgradAdamOptions, DecideOnDecayAndTheBiasGradient) {
  const DenseProblem problem{.rows = 8, .in = 24, .units = 10, .activation = kRelu};
  const DenseUpdate adam{.options = {.kind = OptimizerKind::kAdam, .weight_decay = 0.1f}, .decays = true};
  const DenseUpdate spared{.options = {.kind = OptimizerKind::kAdamW, .weight_decay = 0.1f}, .decays = false};
  expect_the_optimizers_bytes<float>(problem, adam, GradMode::kIgnore);
  expect_the_optimizers_bytes<float>(problem, spared, GradMode::kAccumulate);
}

TEST_F(DenseWgradAdamOptions, MayLeaveOutAverageCopyAndBias) {
  const DenseUpdate update;
  const DenseData<float> data({.rows = 8, .in = 24, .units = 10}, Numbers::kRandom);
  const State state = State::before(data.p);
  DeviceArray<float> src(data.src), diff_dst(data.diff_dst), weights(state.weights), moment1(state.moment1),
      moment2(state.moment2);
  DeviceArray<OptimizerClock> clock(std::vector{optimizer_clock(update.options, 3, kRate)});
  CUDACARDS_ASSERT_RUNS(dense_wgrad_adam(data.p, DType::kF32, update,
                                         {.src = src.data(),
                                          .diff_dst = diff_dst.data(),
                                          .weights = weights.data(),
                                          .moment1 = moment1.data(),
                                          .moment2 = moment2.data(),
                                          .clock = clock.data()},
                                         nullptr));
  const Bytes actual = bytes_of(weights, moment1, moment2), expected = in_two_steps(data, update, 3, GradMode::kIgnore);
  EXPECT_TRUE(std::equal(actual.begin(), actual.end(), expected.begin()));
}

// in = 128, so that rows of fp32 and bf16 begin with a sector.
TEST_F(DenseWgradAdamOptions, TakeTheTrafficThatTheBytesNeed) {
  expect_traffic("_kernel", {}, [] {
    for (const TileShape shape : {kLarge, kFlat, kNarrow}) {
      const DenseProblem problem{
          .rows = 32, .in = 128, .units = 128, .activation = kRelu, .plan = MatmulPlan{shape, 1}};
      fused_on_device(DenseData<float>(problem, Numbers::kRandom), {}, 0, GradMode::kOverwrite);
      fused_on_device(DenseData<Bf16>(problem, Numbers::kRandom), {}, 0, GradMode::kOverwrite);
    }
  });
}

TEST(DenseWgradAdamLauncher, RefusesWhatItCannotUse) {
  alignas(16) float memory[8] = {};
  const OptimizerClock clock;
  const DenseProblem relu{.activation = kRelu};
  const DenseWgradAdamArgs good{.src = memory,
                                .diff_dst = memory,
                                .dst = memory,
                                .weights = memory,
                                .moment1 = memory,
                                .moment2 = memory,
                                .average = memory,
                                .bf16_weights = memory,
                                .diff_bias = memory,
                                .clock = &clock};
  const auto reason = [&](const DenseWgradAdamArgs& args, const DenseUpdate& update = {}) {
    return dense_wgrad_adam(relu, DType::kF32, update, args, nullptr).reason();
  };
  for (const auto member : {&DenseWgradAdamArgs::src, &DenseWgradAdamArgs::diff_dst, &DenseWgradAdamArgs::dst}) {
    DenseWgradAdamArgs args = good;
    args.*member = memory + 1;
    EXPECT_THAT(reason(args), HasSubstr("16-byte aligned"));
    args.*member = nullptr;
    EXPECT_THAT(reason(args), HasSubstr("must be given"));
  }
  for (const auto member : {&DenseWgradAdamArgs::weights, &DenseWgradAdamArgs::moment1, &DenseWgradAdamArgs::moment2}) {
    DenseWgradAdamArgs args = good;
    args.*member = memory + 1;
    EXPECT_THAT(reason(args), HasSubstr("16-byte aligned"));
    args.*member = nullptr;
    EXPECT_THAT(reason(args), HasSubstr("must be given"));
  }
  for (const auto member : {&DenseWgradAdamArgs::average, &DenseWgradAdamArgs::diff_bias}) {
    DenseWgradAdamArgs args = good;
    args.*member = memory + 1;
    EXPECT_THAT(reason(args), HasSubstr("16-byte aligned"));
  }
  DenseWgradAdamArgs args = good;
  args.bf16_weights = memory + 1;
  EXPECT_THAT(reason(args), HasSubstr("16-byte aligned"));
  args = good;
  args.clock = nullptr;
  EXPECT_THAT(reason(args), HasSubstr("must be given"));
  EXPECT_THAT(reason(good, {.options = {.kind = OptimizerKind::kSgd}}), HasSubstr("SGD"));
  EXPECT_THAT(dense_wgrad_adam(in_tf32({}), DType::kF32, {}, good, nullptr).reason(), HasSubstr("no tf32"));
}

}  // namespace
}  // namespace cudacards::testing
