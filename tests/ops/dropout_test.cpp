// Dropout is a pure function of seed, step, node and element.

#include <cmath>

#include "kernels/base/philox.h"
#include "tests/ops/implementations.h"

namespace cudacards::testing {
namespace {

OpCase dropout_case(float rate) {
  return {.operation = std::make_shared<Dropout>(rate), .src = {{10, 1001}}, .description = "dropout"};
}

OpOutputs run_first(const OpCase& c, const Step& step) {
  OpInputs inputs{
      .src = {std::vector<float>(10010, 1.0f)}, .parameters = {}, .diff_dst = std::vector<float>(10010, 1.0f)};
  return run(c, c.operation->implementations(DeviceKind::kCpu).front(), inputs, {.step = step});
}

TEST(Dropout, DropsExactlyWhereTheGeneratorSays) {
  const float rate = 0.3f;
  const OpCase c = dropout_case(rate);
  const Step step{.training = true, .seed = 77, .number = 12};
  const OpOutputs out = run_first(c, step);
  for (std::uint32_t i = 0; i < 10010; ++i) {
    const float u = uniform01(
        random4(77, RandomPurpose::kDropout, 12, static_cast<std::uint32_t>(c.problem().node), i / 4).v[i % 4]);
    ASSERT_EQ(out.dst[i], u >= rate ? 1 / (1 - rate) : 0.0f) << "element " << i;
  }
}

TEST(Dropout, DropsTheSameElementsBackward) {
  const OpOutputs out = run_first(dropout_case(0.5f), {.training = true, .seed = 1, .number = 2});
  EXPECT_EQ(out.dst, out.diff_src[0]);
}

TEST(Dropout, KeepsTheShareThatItSays) {
  for (const float rate : {0.1f, 0.5f, 0.9f}) {
    const OpOutputs out = run_first(dropout_case(rate), {.training = true, .seed = 5, .number = 0});
    const auto dropped = std::count(out.dst.begin(), out.dst.end(), 0.0f);
    const double deviation = std::sqrt(10010.0 * static_cast<double>(rate * (1 - rate)));
    EXPECT_NEAR(static_cast<double>(dropped), 10010.0 * static_cast<double>(rate), 4 * deviation) << rate;
  }
}

TEST(Dropout, ChangesWithStepAndSeed) {
  const OpCase c = dropout_case(0.5f);
  const Step step{.training = true, .seed = 1, .number = 1};
  Step other_step = step, other_seed = step;
  other_step.number = 2;
  other_seed.seed = 2;
  EXPECT_NE(run_first(c, step).dst, run_first(c, other_step).dst);
  EXPECT_NE(run_first(c, step).dst, run_first(c, other_seed).dst);
}

TEST(Dropout, PassesEverythingOnOutsideTraining) {
  const OpOutputs out = run_first(dropout_case(0.5f), {.training = false, .seed = 1});
  EXPECT_EQ(out.dst, std::vector<float>(10010, 1.0f));
}

TEST(Dropout, HidesWhatItDropsEvenInfinity) {
  OpInputs inputs{
      .src = {std::vector<float>(10010, INFINITY)}, .parameters = {}, .diff_dst = std::vector<float>(10010, 1.0f)};
  const OpCase c = dropout_case(0.5f);
  const OpOutputs out = run(c, c.operation->implementations(DeviceKind::kCpu).front(), inputs);
  for (const float x : out.dst) ASSERT_TRUE(x == 0.0f || x == INFINITY);
}

}  // namespace
}  // namespace cudacards::testing
