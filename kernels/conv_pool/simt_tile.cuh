#pragma once
// The multiplication that the SIMT forward pass and the SIMT gradient of the data share: a 3 x 3 convolution of a tile
// of 16 x 16 pixels to 32 outputs, some inputs at a time.
//
//   inputs (18 x 18 with the rim)            one thread: the four pixels of a 2 x 2 window times 8 outputs; for each
//   +--------------------+                   input it reads a patch of 4 x 4 (eight 8-byte loads) and 9 x 8 weights
//   | . . . . . .     .  |                   (eighteen 16-byte loads), and does 288 multiply-adds
//   | . 0 1 0 1 ...      |
//   | . 2 3 2 3 ...      |                   warp = a row of 8 windows (lane % 8) x 4 groups of outputs (lane / 8)
//   |   warp 1: next row |                   group g: outputs 4 g ... 4 g + 3 and 16 + 4 g ... 16 + 4 g + 3, so that
//   +--------------------+                   the four groups store 64 bytes side by side
//
// Banks: the 8 windows read 16 floats side by side, the groups read the same ones; of the weights each quarter of a
// warp reads one address. The pitches make the scattered stores of the load phase free of conflicts: eight inputs x
// four neighbouring pixels (or outputs) fall on 32 banks, as 324 % 32 == 4.

#include "kernels/conv_pool/window.cuh"
#include "kernels/simt/shared.h"
#include "kernels/simt/warp.h"

namespace cudacards::conv_pool {

struct SimtTile {
  static constexpr int kWindows = 8;              // pooled rows and columns
  static constexpr int kSide = 2 * kWindows + 2;  // pixels with the rim
  static constexpr int kPixels = kSide * kSide;
  static constexpr int kOutputs = 32;
  static constexpr int kInputs = 8;  // a slab
  static constexpr int kWeightPitch = kOutputs + 4;
  static constexpr int kThreads = 256;
  static constexpr int kPerThread = 8;  // outputs
  static_assert(kPixels % 32 == 4 && kTaps * kWeightPitch % 32 == 4, "else stores of the load phase share banks");
  static_assert(kThreads == kWindows * kWindows * kOutputs / kPerThread);

  alignas(16) float inputs[kInputs][kPixels];
  alignas(16) float weights[kInputs * kTaps][kWeightPitch];
};

using SimtTiles = TileGrid<SimtTile::kWindows, SimtTile::kWindows>;

/// Which window and outputs of the tile are this thread's.
struct SimtPlace {
  int row, column, group;
  __device__ SimtPlace() : row(warp_index()), column(lane_index() % 8), group(lane_index() / 8) {}
  /// Output of the tile that accumulator j is of.
  __device__ int output(int j) const { return j / 4 * 16 + 4 * group + j % 4; }
};

/// Inputs first ... first + kInputs - 1 of the tile: read(pixel row, pixel column, input), rows and columns of the tile
/// counted with the rim.
template <class Read>
__device__ __forceinline__ void load_inputs(SimtTile& tile, int count, Read&& read) {
  for (int i = static_cast<int>(threadIdx.x); i < SimtTile::kPixels * SimtTile::kInputs; i += SimtTile::kThreads) {
    const int input = i % SimtTile::kInputs, pixel = i / SimtTile::kInputs;
    if (input < count) tile.inputs[input][pixel] = read(pixel / SimtTile::kSide, pixel % SimtTile::kSide, input);
  }
}

/// multiply-adds of the first `count` inputs of the slab.
__device__ __forceinline__ void multiply(SimtTile& tile, int count, const SimtPlace& place,
                                         float (&sums)[kWindow][SimtTile::kPerThread]) {
  for (int input = 0; input < count; ++input) {
    float patch[4][4];
#pragma unroll
    for (int y = 0; y < 4; ++y) {
#pragma unroll
      for (int x = 0; x < 4; x += 2) {
        const Vec<float, 2> pair =
            load_vector<2>(&tile.inputs[input][(2 * place.row + y) * SimtTile::kSide + 2 * place.column + x]);
        patch[y][x] = pair[0];
        patch[y][x + 1] = pair[1];
      }
    }
#pragma unroll
    for (int tap = 0; tap < kTaps; ++tap) {
      const float* row = tile.weights[input * kTaps + tap];
      const Vec<float, 4> low = load_vector<4>(row + 4 * place.group);
      const Vec<float, 4> high = load_vector<4>(row + 16 + 4 * place.group);
#pragma unroll
      for (int i = 0; i < kWindow; ++i) {
        const float x = patch[i / 2 + tap / 3][i % 2 + tap % 3];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          sums[i][j] = __fmaf_rn(x, low[j], sums[i][j]);
          sums[i][4 + j] = __fmaf_rn(x, high[j], sums[i][4 + j]);
        }
      }
    }
  }
}

/// Whether quads of neighbouring elements of a tensor with `channels` channels can be moved by one instruction.
__device__ __forceinline__ bool has_aligned_quads(int channels) { return channels % 4 == 0; }

/// Up to four neighbours: `count` of them exist, possibly none.
template <class T>
__device__ __forceinline__ void store_quad(T* to, const float* values, int count, bool aligned) {
  if (aligned && count >= 4) {
    Vec<T, 4> quad;
#pragma unroll
    for (int i = 0; i < 4; ++i) quad[i] = from_float<T>(values[i]);
    store_vector(to, quad);
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < count) to[i] = from_float<T>(values[i]);
  }
}

}  // namespace cudacards::conv_pool
