#pragma once
// How a matrix product is cut: the tile of a block, and into how many slices its sums are split. Host code without
// CUDA.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/matmul/tuning.h"

namespace cudacards {

/// The tile of dst that a block computes, rows x columns.
enum class TileShape : std::uint8_t {
  kLarge,   // 128 x 128
  kFlat,    // 32 x 128: a batch of 32 rows against many units
  kNarrow,  // 128 x 32: many rows, few channels
};

struct TileExtent {
  int m, n;
};
constexpr TileExtent extent_of(TileShape shape) {
  switch (shape) {
    case TileShape::kLarge:
      return {128, 128};
    case TileShape::kFlat:
      return {32, 128};
    case TileShape::kNarrow:
      return {128, 32};
  }
  return {0, 0};
}

struct MatmulPlan {
  TileShape shape = TileShape::kFlat;
  int slices = 1;  // of the sum's k; more than one go through a workspace
  bool operator==(const MatmulPlan&) const = default;
};

/// dst (m,n) = sums over k.
struct MatmulSize {
  int m = 1, n = 1, k = 1;
};

constexpr std::int64_t tiles_of(const MatmulSize& size, TileShape shape) {
  const TileExtent tile = extent_of(shape);
  return ((std::int64_t{size.m} + tile.m - 1) / tile.m) * ((std::int64_t{size.n} + tile.n - 1) / tile.n);
}

enum class SplitK : bool { kNo, kYes };

constexpr MatmulPlan plan_matmul(const MatmulSize& size, const MatmulTuning& tuning, SplitK split) {
  MatmulPlan plan;
  const bool fills_the_device = tiles_of(size, TileShape::kLarge) >= tuning.blocks_wanted;
  if (size.m > 32 && size.n <= 32) {
    plan.shape = TileShape::kNarrow;
  } else if (size.m > 32 && (split == SplitK::kYes || fills_the_device)) {
    plan.shape = TileShape::kLarge;
  }
  if (split == SplitK::kYes) {
    const std::int64_t room = tuning.blocks_wanted / tiles_of(size, plan.shape);
    plan.slices =
        static_cast<int>(std::clamp<std::int64_t>(size.k / tuning.least_slice, 1, std::max<std::int64_t>(room, 1)));
  }
  return plan;
}

/// The slices as they are launched: all of the same length, a multiple of every tile's depth, none of them empty.
struct Slices {
  int count, length;
};
constexpr Slices slices_of(int k, int wanted) {
  constexpr int kDepth = 64;
  const int length = (k / wanted + (k % wanted != 0) + kDepth - 1) / kDepth * kDepth;
  return {k / length + (k % length != 0), length};
}

/// Partial sums lie as [slice][row][column], rows padded to whole quads, then the m row sums, padded to a quad.
struct PartialLayout {
  std::int64_t row = 0, sums = 0, slice = 0;  // in floats: a row; where the row sums begin; a slice
};
constexpr PartialLayout partial_layout(const MatmulSize& size) {
  const std::int64_t row = (std::int64_t{size.n} + 3) / 4 * 4;
  return {row, row * size.m, row * size.m + (std::int64_t{size.m} + 3) / 4 * 4};
}
constexpr std::size_t workspace_bytes(const MatmulSize& size, const MatmulPlan& plan) {
  const int count = slices_of(size.k, plan.slices).count;
  return count == 1 ? 0 : static_cast<std::size_t>(count * partial_layout(size).slice) * sizeof(float);
}

}  // namespace cudacards
