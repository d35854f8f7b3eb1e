// What the vectorised implementations of host/ops/cpu do beyond the case tables: results that are too large for the caches
// take another way to memory, and a NaN stays one.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "tests/support/op_run.h"

namespace cudacards::testing {
namespace {

std::vector<float> repeated(const std::vector<float>& values, std::int64_t times) {
  std::vector<float> all;
  all.reserve(values.size() * static_cast<std::size_t>(times));
  for (std::int64_t i = 0; i < times; ++i) all.insert(all.end(), values.begin(), values.end());
  return all;
}

struct LargeCase {
  std::shared_ptr<const Operation> operation;
  const Implementation* implementation;
  Shape picture;
};

/// A batch of one picture over and over has its results and its gradient over and over; statistics are the running ones.
TEST(Vectorised, LargeResultsAreThoseOfTheirPictures) {
  constexpr std::int64_t kBytes = 25 << 20;  // more than goes through the caches
  const LargeCase cases[] = {
      {std::make_shared<BatchNorm>(0.9f, 1e-3f, Activation::kRelu6), &kCpuBatchNorm, {1, 61, 50, 16}},
      {std::make_shared<Conv2d>(Conv2dOptions{.filters = 48, .kernel = 1, .bias = false}),
       &kOnednnConv2d,
       {1, 61, 50, 8}},
  };
  for (const LargeCase& large : cases) {
    for (const DType type : {DType::kF32, DType::kBf16}) {
      OpCase one{.operation = large.operation, .src = {large.picture}, .type = type, .dst_type = type};
      const std::int64_t picture_bytes = one.dst().elements() * static_cast<std::int64_t>(size_of(type));
      const std::int64_t times = kBytes / picture_bytes + 1;
      OpCase many = one;
      many.src = {large.picture.with_batch(times)};
      OpInputs inputs = random_inputs(one);
      const OpOutputs expected = run(one, *large.implementation, inputs, {.frozen = true});
      inputs.src[0] = repeated(inputs.src[0], times);
      inputs.diff_dst = repeated(inputs.diff_dst, times);
      const OpOutputs actual = run(many, *large.implementation, inputs, {.frozen = true});
      EXPECT_TRUE(actual.dst == repeated(expected.dst, times)) << large.operation->kind() << " " << name_of(type);
      EXPECT_TRUE(actual.diff_src[0] == repeated(expected.diff_src[0], times)) << large.operation->kind();
    }
  }
}

TEST(Vectorised, LetsANaNThroughTheActivation) {
#if !CUDACARDS_AVX512
  GTEST_SKIP() << "the convolutions need AVX-512";
#endif
  const LargeCase cases[] = {
      {std::make_shared<BatchNorm>(0.9f, 1e-3f, Activation::kRelu6), &kCpuBatchNorm, {1, 4, 4, 16}},
      {std::make_shared<Conv2d>(
           Conv2dOptions{.filters = 16, .kernel = 3, .groups = 16, .activation = Activation::kRelu6}),
       &kCpuDepthwise,
       {1, 4, 4, 16}},
      {std::make_shared<Conv2d>(Conv2dOptions{.filters = 48, .kernel = 1, .activation = Activation::kRelu}),
       &kOnednnConv2d,
       {1, 4, 4, 8}},
      {std::make_shared<ActivationLayer>(Activation::kRelu6), &kCpuActivation, {1, 1, 1, 16}},
  };
  for (const LargeCase& c : cases) {
    for (const DType type : {DType::kF32, DType::kBf16}) {
      const OpCase op{.operation = c.operation, .src = {c.picture}, .type = type, .dst_type = type};
      OpInputs inputs = integer_inputs(op);
      inputs.src[0][0] = std::numeric_limits<float>::quiet_NaN();
      const OpOutputs outputs = run(op, *c.implementation, inputs, {.step = {.training = false}, .training = false});
      EXPECT_TRUE(std::isnan(outputs.dst[0])) << c.operation->kind() << " " << name_of(type);
      EXPECT_FALSE(std::isnan(outputs.dst.back())) << c.operation->kind() << " " << name_of(type);
    }
  }
}

}  // namespace
}  // namespace cudacards::testing
