#pragma once
// What a device can do at most, measured with what this build has: the denominator of "share of the roofline".

#include <map>
#include <string>

#include "host/ops/precision.h"
#include "host/runtime/device.h"

namespace cudacards::bench {

struct Ceilings {
  double bytes_per_second = 0;  // of a large copy on the device, read and written bytes counted
  std::map<Precision, double> flops_per_second;
  std::map<Precision, std::string> how;  // "dense 8192 x 8192 x 8192 by cublaslt"

  /// The least time that work takes: the larger of bytes and operations over their rates. 0 where they are not known.
  double least_seconds(double flops, double bytes, Precision precision) const;
};

/// Of the emulator nothing: its times mean nothing.
Ceilings measure_ceilings(Device& device);

}  // namespace cudacards::bench
