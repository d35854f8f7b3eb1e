#pragma once
// Which kernel and which tile a convolution gets: data, with the evidence beside each row.

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/base/arch.h"

namespace cudacards {

enum class Conv2dPath : std::uint8_t {
  kBest,
  kSimt,    // fp32 arithmetic, any problem
  kTensor,  // implicit GEMM on tensor cores, bf16
  kHalo,    // forward 3x3 stride 1 from a tile with its border, bf16
};
/// Rows of the GEMM x columns that one block computes.
enum class Conv2dTile : std::uint8_t { kBest, k128x128, k128x64, k64x32 };

/// What a caller may prescribe (the sweep and the tests do); the defaults choose.
struct Conv2dChoice {
  Conv2dPath path = Conv2dPath::kBest;
  Conv2dTile tile = Conv2dTile::kBest;
  int slices = 0;  // of the pixels in the weights' gradient; 0 chooses
};

struct Conv2dTuningRow {
  Arch arch;              // and later
  int wide_from_columns;  // 128x128 tiles from so many columns on ...
  int wide_from_tiles;    // ... if there are that many such tiles: two an SM
  int narrow_to_columns;  // 64x32 tiles up to so many columns
  int slice_blocks;       // blocks that the weights' gradient aims at by cutting the pixels into slices
  int slice_pixels;       // but no slice shorter than this
  const char* evidence;
};

inline constexpr std::array kConv2dTuning = {
    Conv2dTuningRow{{8, 0}, 96, 216, 32, 216, 256, "not measured"},
    Conv2dTuningRow{{9, 0}, 96, 264, 32, 264, 256, "not measured"},
};
/// One row for every machine: how the pixels are sliced decides the order of sums, and results should not depend on
/// where they were computed.
inline constexpr const Conv2dTuningRow& kConv2dDefault = kConv2dTuning[1];

constexpr Conv2dTile conv2d_tile(std::int64_t rows, std::int64_t columns, Conv2dTile wanted) {
  if (wanted != Conv2dTile::kBest) return wanted;
  const std::int64_t wide_tiles = (rows + 127) / 128 * ((columns + 127) / 128);
  if (columns >= kConv2dDefault.wide_from_columns && wide_tiles >= kConv2dDefault.wide_from_tiles)
    return Conv2dTile::k128x128;
  return columns > kConv2dDefault.narrow_to_columns ? Conv2dTile::k128x64 : Conv2dTile::k64x32;
}

/// Slices of `pixels` for a gradient of `tiles` tiles; each slice but the last holds a multiple of `slab` pixels.
constexpr int conv2d_slices(std::int64_t pixels, std::int64_t tiles, int wanted) {
  if (wanted > 0) return static_cast<int>(std::min<std::int64_t>(wanted, std::max<std::int64_t>(pixels, 1)));
  const std::int64_t most = std::max<std::int64_t>(pixels / kConv2dDefault.slice_pixels, 1);
  return static_cast<int>(std::clamp<std::int64_t>(kConv2dDefault.slice_blocks / tiles, 1, most));
}

}  // namespace cudacards
