// What the tests of all implementations don't know about the vectorised dense layer: the master weights are read in
// place, every count of threads gives the same bytes, a NaN is seen, and it says what it leaves to others.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "host/ops/cpu/implementations.h"
#include "tests/support/op_run.h"
#include "tests/support/scoped_threads.h"

namespace cudacards::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

OpCase dense(std::int64_t n, std::int64_t in, int units, Activation activation = Activation::kNone) {
  return {.operation = std::make_shared<Dense>(units, activation), .src = {{n, in}}};
}

bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class VectorisedDense : public ::testing::Test {
 protected:
  void SetUp() override {
    const OpCase c = dense(1, 16, 1);
    if (const Verdict v = kCpuDense.supports(*c.operation, c.problem()); !v) GTEST_SKIP() << v.reason();
  }
};

TEST_F(VectorisedDense, GivesTheSameBytesForEveryCountOfThreads) {
  for (const DType type : {DType::kF32, DType::kBf16}) {
    OpCase c = dense(19, 33 * 512 + 5, 21, Activation::kRelu);  // 34 slabs in 32 parts
    c.type = c.dst_type = type;
    const OpInputs inputs = random_inputs(c);
    const auto outputs_of = [&](int count) {
      const ScopedThreads scoped(count);
      return run(c, kCpuDense, inputs);
    };
    const OpOutputs one = outputs_of(1);
    for (const int count : {2, 3, 7}) {
      const OpOutputs more = outputs_of(count);
      EXPECT_TRUE(same_bytes(one.dst, more.dst)) << count << " threads, " << name_of(type);
      EXPECT_TRUE(same_bytes(one.diff_src[0], more.diff_src[0])) << count << " threads, " << name_of(type);
      EXPECT_TRUE(same_bytes(one.diff_parameters[0], more.diff_parameters[0]))
          << count << " threads, " << name_of(type);
      EXPECT_TRUE(same_bytes(one.diff_parameters[1], more.diff_parameters[1]))
          << count << " threads, " << name_of(type);
    }
  }
}

TEST_F(VectorisedDense, KeepsNoCopyOfTheWeights) {
  for (const DType type : {DType::kF32, DType::kBf16}) {
    OpCase c = dense(32, 50000, 64);
    c.type = c.dst_type = type;
    const MemoryNeed need = kCpuDense.make(*c.operation, c.problem())->memory();
    EXPECT_EQ(need.packed, 0u);
    EXPECT_LT(need.scratchpad, std::size_t{50000} * 64 * sizeof(float) / 4);
  }
}

TEST_F(VectorisedDense, LetsANaNThroughEveryActivation) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
    const OpCase c = dense(2, 19, 5, activation);
    OpInputs inputs = integer_inputs(c);
    std::fill(inputs.parameters[0].begin(), inputs.parameters[0].end(), 0.0f);
    inputs.src[0][18] = kInfinity;  // times zero, in the last and ragged columns
    const OpOutputs outputs = run(c, kCpuDense, inputs);
    for (std::size_t unit = 0; unit < 5; ++unit) {
      EXPECT_TRUE(std::isnan(outputs.dst[unit])) << name_of(activation);
      EXPECT_FALSE(std::isnan(outputs.dst[5 + unit])) << name_of(activation);
    }
  }
}

/// What lies behind a ragged row is the next one.
TEST_F(VectorisedDense, KeepsTheNextRowOutOfARaggedOne) {
  const OpCase c = dense(2, 19, 5);
  const OpInputs inputs = integer_inputs(c);
  OpInputs others = inputs;
  for (std::size_t i = 19; i < 38; ++i) others.src[0][i] = others.parameters[0][i] = kInfinity;
  const OpOutputs expected = run(c, kCpuDense, inputs), actual = run(c, kCpuDense, others);
  EXPECT_EQ(actual.dst[0], expected.dst[0]);
  EXPECT_FALSE(std::isfinite(actual.dst[1]));
  EXPECT_FALSE(std::isfinite(actual.dst[5]));
}

TEST_F(VectorisedDense, LetsANaNBackToTheSourceAndTheWeights) {
  const OpCase c = dense(2, 19, 5);
  OpInputs inputs = integer_inputs(c);
  std::fill(inputs.src[0].begin(), inputs.src[0].end(), 0.0f);
  std::fill(inputs.parameters[0].begin(), inputs.parameters[0].end(), 0.0f);
  inputs.diff_dst[3] = kInfinity;  // of the first row, times zero
  const OpOutputs outputs = run(c, kCpuDense, inputs);
  for (std::size_t i = 0; i < 19; ++i) {
    EXPECT_TRUE(std::isnan(outputs.diff_src[0][i]));
    EXPECT_EQ(outputs.diff_src[0][19 + i], 0.0f);
    EXPECT_TRUE(std::isnan(outputs.diff_parameters[0][3 * 19 + i]));
    EXPECT_EQ(outputs.diff_parameters[0][2 * 19 + i], 0.0f);
  }
  EXPECT_EQ(outputs.diff_parameters[1][3], kInfinity);
}

/// The tables accumulate into some of the sizes only; here it is all that have a path of their own.
TEST_F(VectorisedDense, AddsToGradientsAtEveryTail) {
  constexpr float kBefore = 3;
  const OpCase cases[] = {dense(24, 1440, 16), dense(33, 529, 17), dense(1, 495, 31), dense(3, 65536, 34)};
  for (OpCase c : cases) {
    SCOPED_TRACE(c.src[0].to_string());
    for (const DType type : {DType::kF32, DType::kBf16}) {
      c.type = type;
      const OpInputs inputs = integer_inputs(c);
      const OpOutputs set = run(c, kCpuDense, inputs);
      const OpOutputs added = run(c, kCpuDense, inputs,
                                  {.diff_src_mode = GradMode::kAccumulate,
                                   .diff_parameters_mode = GradMode::kAccumulate,
                                   .gradient_before = kBefore});
      const auto all_added = [](const std::vector<float>& from, const std::vector<float>& to) {
        return std::ranges::equal(from, to, [](float x, float y) { return x + kBefore == y; });
      };
      EXPECT_TRUE(all_added(set.diff_src[0], added.diff_src[0])) << name_of(type);  // integers that bf16 can hold
      EXPECT_TRUE(all_added(set.diff_parameters[0], added.diff_parameters[0])) << name_of(type);
      EXPECT_TRUE(all_added(set.diff_parameters[1], added.diff_parameters[1])) << name_of(type);
    }
  }
}

TEST_F(VectorisedDense, LeavesLargeBatchesAndNarrowLayersToOthersAndSaysSo) {
  const auto reason = [](const OpCase& c) {
    const Verdict verdict = kCpuDense.supports(*c.operation, c.problem());
    return verdict ? std::string() : verdict.reason();
  };
  const ScopedThreads eight(8);
  EXPECT_EQ(reason(dense(128, 100000, 128)), "");
  EXPECT_EQ(reason(dense(129, 100000, 128)), "N=129: reading the weights in place pays up to 128");
  EXPECT_EQ(reason(dense(32, 4096, 1000)), "in=4096: 8 slabs are too few for 8 threads");
  EXPECT_EQ(reason(dense(32, 256, 128)), "") << "small enough for one thread";
}

}  // namespace
}  // namespace cudacards::testing
