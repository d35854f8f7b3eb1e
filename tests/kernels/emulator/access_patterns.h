#pragma once
// Warps that touch memory in ways whose cost is known from the hardware's rules.

#include <cstdint>

#include "kernels/base/status.h"

namespace cudacards::testing {

enum class AccessPattern : std::uint8_t {
  kGlobalNeighbours,
  kGlobalOffByOne,
  kGlobalStrided,
  kGlobalBroadcast,
  kGlobalVectors,
  kSharedColumn,
  kSharedPaddedColumn,
  kSharedVectors,
  kMatrixRowsInOneColumn,
  kMatrixRowsSwizzled,
};

/// One warp that makes the accesses once.
Status run_pattern(AccessPattern pattern);

}  // namespace cudacards::testing
