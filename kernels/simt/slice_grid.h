#pragma once
// How many blocks add up the slices of a split sum (slices.h). Plain C++.

#include <cstdint>

#include "kernels/base/host_device.h"

namespace cudacards {

constexpr int kSliceThreads = 8;  // of a place, where they are many
constexpr int kSlicePlaces = 32;  // of a block then: a warp's
constexpr int kSliceBlock = kSlicePlaces * kSliceThreads;

CUDACARDS_HOST_DEVICE constexpr bool are_many_slices(int slices) { return slices >= 2 * kSliceThreads; }
CUDACARDS_HOST_DEVICE constexpr int places_of_slice_block(int slices) {
  return are_many_slices(slices) ? kSlicePlaces : kSliceBlock;
}
/// Of the grid, each of kSliceBlock threads.
constexpr std::int64_t slice_blocks(std::int64_t places, int slices) {
  return (places + places_of_slice_block(slices) - 1) / places_of_slice_block(slices);
}

}  // namespace cudacards
