#pragma once
// One problem of one operation, by value: what tests, gradient checks and benchmarks walk over. Tables are derived from
// the models, never typed a second time, and joined by the edges that models don't have.

#include <memory>
#include <string>
#include <vector>

#include "host/ops/ops.h"
#include "host/runtime/device.h"
#include "kernels/base/factors.h"

namespace cudacards::testing {

struct OpCase {
  std::shared_ptr<const Operation> operation;
  std::vector<Shape> src;
  DType type = DType::kF32;                  // of the sources
  DType dst_type = DType::kF32;              // differs for a model's scores, which are fp32 in every precision
  GradMode diff_src = GradMode::kOverwrite;  // kIgnore: a model's first layer, nothing below wants a gradient
  Factors factors = Factors::kExact;         // of fp32
  Device* device = &cpu_device();            // where it is run
  std::string description = {};              // unique, readable: "conv2d 8 of 3x3 ... relu (2, 9, 9, 3) bf16"

  Shape dst() const { return operation->infer_shape(src); }
  Problem problem() const;
};

/// Every operation that has implementations to test, by the stem that tests are named after.
enum class OpFamily {
  kConv2d,
  kDense,
  kMaxPool,
  kGlobalAveragePool,
  kActivation,
  kSoftmax,
  kDropout,
  kAdd,
  kBatchNorm
};
const std::vector<OpFamily>& op_families();
std::string name_of(OpFamily family);

/// Models' layers at a small size (fused as a plan does and unfused) and edge shapes, each in fp32, bf16 and bf16 ->
/// fp32; convolutions and dense layers in tf32 too.
std::vector<OpCase> cases_of(OpFamily family);
/// `count` random convolutions with stride, padding, groups, activation and pool; the same ones each time.
std::vector<OpCase> generated_convolutions(int count);

/// Keeps the cases whose description contains wanted_case().
std::vector<OpCase> selected(std::vector<OpCase> cases);

}  // namespace cudacards::testing
