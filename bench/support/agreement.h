#pragma once
// Holds what two candidates computed from the same whole numbers together: nothing is timed that computes something
// else.

#include <string>
#include <vector>

#include "bench/support/node_work.h"
#include "host/runtime/device.h"

namespace cudacards::bench {

/// A result on the host. Of a large tensor evenly spread pieces, the first and the last among them.
struct Sample {
  std::string name;
  std::int64_t elements = 0;        // of the whole tensor
  std::vector<std::int64_t> begin;  // of each piece
  std::int64_t piece = 0;           // elements in a piece
  std::vector<float> values;        // piece by piece
};

std::vector<Sample> sampled(Device& device, const std::vector<Tensor>& results);

/// How far two results may be apart, as a share of the value and of the tensor's root mean square.
double tolerance_of(Precision precision);

/// Empty where they agree, else where they don't: "diff weights[17] is 3 where reference has 4". NaN and infinity agree
/// with nothing. `judge` is the name of who computed `expected`.
std::string disagreement(const std::vector<Sample>& got, const std::vector<Sample>& expected, double tolerance,
                         const std::string& judge);

}  // namespace cudacards::bench
