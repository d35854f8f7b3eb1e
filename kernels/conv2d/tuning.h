#pragma once
// Which kernel and which tile a convolution gets.

#include <algorithm>
#include <cstdint>

#include "kernels/base/tuning.h"

namespace cudacards {

enum class Conv2dPath : std::uint8_t {
  kBest,
  kSimt,    // fp32 arithmetic, any problem
  kTensor,  // implicit GEMM on tensor cores, bf16
  kHalo,    // forward and backward data, 3x3 stride 1 from a tile with its border, bf16
};
/// Rows of the GEMM x columns that one block computes.
enum class Conv2dTile : std::uint8_t { kBest, k128x128, k128x64, k64x32 };

/// What a caller may prescribe (sweep and tests do); the defaults choose.
struct Conv2dChoice {
  Conv2dPath path = Conv2dPath::kBest;
  Conv2dTile tile = Conv2dTile::kBest;
  int slices = 0;      // of the pixels in the weights' gradient; 0 chooses
  Arch arch = {9, 0};  // whose tiles are asked
};

/// Tiles of the forward pass and backward data. Speed alone: each adds up the depth in the same order.
struct Conv2dTileTuning {
  Arch arch;
  int wide_from_columns;  // 128x128 tiles from so many columns on ...
  int wide_from_tiles;    // ... if there are that many such tiles
  int narrow_to_columns;  // 64x32 tiles up to so many columns
  const char* evidence;
};

// Wide tiles where there are two an SM.
// clang-format off
inline constexpr Conv2dTileTuning kConv2dTileTuning[] = {
    {.arch = {8, 0}, .wide_from_columns = 96, .wide_from_tiles = 216, .narrow_to_columns = 32, .evidence = kNotMeasured},
    {.arch = {9, 0}, .wide_from_columns = 96, .wide_from_tiles = 264, .narrow_to_columns = 32, .evidence = kNotMeasured},
};
// clang-format on

constexpr Conv2dTile conv2d_tile_by(const Conv2dTileTuning& row, std::int64_t rows, std::int64_t columns) {
  const std::int64_t wide_tiles = (rows + 127) / 128 * ((columns + 127) / 128);
  if (columns >= row.wide_from_columns && wide_tiles >= row.wide_from_tiles) return Conv2dTile::k128x128;
  return columns > row.narrow_to_columns ? Conv2dTile::k128x64 : Conv2dTile::k64x32;
}
constexpr Conv2dTile conv2d_tile(std::int64_t rows, std::int64_t columns, const Conv2dChoice& choice) {
  if (choice.tile != Conv2dTile::kBest) return choice.tile;
  return conv2d_tile_by(row_for(kConv2dTileTuning, choice.arch), rows, columns);
}

struct Conv2dTileExtent {
  int rows, columns;
};
constexpr Conv2dTileExtent extent_of(Conv2dTile tile) {
  return tile == Conv2dTile::k128x128 ? Conv2dTileExtent{128, 128}
         : tile == Conv2dTile::k64x32 ? Conv2dTileExtent{64, 32}
                                      : Conv2dTileExtent{128, 64};
}

/// The tile of the weights' gradient, whose rows are filters: a wide one only where there are filters for it. One rule
/// for all machines, as slices follow from tiles.
constexpr Conv2dTile conv2d_weights_tile(int filters, int depth, Conv2dTile wanted) {
  if (wanted != Conv2dTile::kBest) return wanted;
  if (filters <= 64) return Conv2dTile::k64x32;
  return depth >= 128 ? Conv2dTile::k128x128 : Conv2dTile::k128x64;
}

/// How the pixels of the weights' gradient are sliced. One row for all machines: it decides the order of sums.
struct Conv2dSliceTuning {
  int slice_blocks;  // that are aimed at by cutting the pixels into slices
  int slice_pixels;  // but no slice shorter than this
  const char* evidence;
};
inline constexpr Conv2dSliceTuning kConv2dSliceTuning = {
    .slice_blocks = 264, .slice_pixels = 256, .evidence = kNotMeasured};

/// Slices of `pixels` for a gradient of `tiles` tiles.
constexpr int conv2d_slices_by(const Conv2dSliceTuning& row, std::int64_t pixels, std::int64_t tiles) {
  const std::int64_t most = std::max<std::int64_t>(pixels / row.slice_pixels, 1);
  return static_cast<int>(std::clamp<std::int64_t>(row.slice_blocks / tiles, 1, most));
}
constexpr int conv2d_slices(std::int64_t pixels, std::int64_t tiles, int wanted) {
  if (wanted > 0) return static_cast<int>(std::min<std::int64_t>(wanted, std::max<std::int64_t>(pixels, 1)));
  return conv2d_slices_by(kConv2dSliceTuning, pixels, tiles);
}

}  // namespace cudacards
