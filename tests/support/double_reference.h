#pragma once
// Any operation in double precision by the reference loops, with what bounds the error of computing it in fp32.

#include "tests/support/compare.h"
#include "tests/support/op_run.h"

namespace cudacards::testing {

struct DoubleInputs {
  std::vector<std::vector<double>> src, parameters;
  std::vector<double> diff_dst;

  DoubleInputs() = default;
  explicit DoubleInputs(const OpInputs& inputs);
};

struct DoubleOutputs {
  Bounded dst;
  std::vector<Bounded> diff_src, diff_parameters;  // empty where a gradient is not wanted or a parameter not trainable
};

/// One training step forward and backward; `step` and the case's node decide what dropout drops.
DoubleOutputs evaluate(const OpCase& c, const DoubleInputs& inputs, const Step& step);

}  // namespace cudacards::testing
