#pragma once
// Into how many blocks the weights' gradient is split, where there are tiles enough. One row for all machines: a split
// of another size adds up in another order.

#include "kernels/base/tuning.h"

namespace cudacards {

struct ConvPoolTuning {
  int weights_blocks;         // tensor cores, SIMT
  int narrow_weights_blocks;  // C <= 4 on tensor cores: smaller blocks
  const char* evidence;
};

// Two and five blocks for each of 132 multiprocessors.
inline constexpr ConvPoolTuning kConvPoolTuning = {
    .weights_blocks = 264, .narrow_weights_blocks = 660, .evidence = kNotMeasured};

}  // namespace cudacards
