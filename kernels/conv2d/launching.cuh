#pragma once
// What the launchers of this folder share: checks in words, which copies a problem allows, one block per tile.

#include <cstdint>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/simt_gemm.cuh"
#include "kernels/conv2d/tensor_gemm.cuh"
#include "kernels/simt/launch.h"
#include "kernels/simt/shared.h"

namespace cudacards {

/// The path that a choice comes to, of SIMT and tensor cores; `no` says why a prescribed one cannot be.
inline Verdict conv2d_gemm_path(DType type, Conv2dPath wanted) {
  if (wanted == Conv2dPath::kTensor && type != DType::kBf16) return Verdict::no("tensor cores are used for bf16 only");
  return Verdict::yes();
}
inline bool conv2d_on_tensor_cores(DType type, const Conv2dChoice& choice) {
  return type == DType::kBf16 && choice.path != Conv2dPath::kSimt;
}

/// Elementwise copies exist for the 128x64 tile only: they are not a fast path.
inline Conv2dTile conv2d_copyable(Conv2dTile tile, Copy copy) {
  return copy == Copy::kChunks ? tile : Conv2dTile::k128x64;
}

constexpr std::int64_t tiles_of(std::int64_t extent, int tile) { return (extent + tile - 1) / tile; }

/// Blocks of neighbouring columns come first: they read the same rows of A, from the second cache.
inline LaunchConfig tile_grid(std::int64_t rows, std::int64_t columns, int tile_m, int tile_n, unsigned depth,
                              int threads, std::size_t shared_bytes, Stream stream) {
  const std::int64_t tiles = tiles_of(rows, tile_m) * tiles_of(columns, tile_n);
  return {.grid = dim3(static_cast<unsigned>(tiles), 1, depth),
          .block = dim3(static_cast<unsigned>(threads)),
          .shared_bytes = shared_bytes,
          .stream = stream};
}

struct TilePlace {
  int m0, n0;
};
__device__ __forceinline__ TilePlace tile_place(int columns, int tile_m, int tile_n) {
  const int tiles_n = (columns + tile_n - 1) / tile_n;
  const int tile = static_cast<int>(blockIdx.x);
  return {tile / tiles_n * tile_m, tile % tiles_n * tile_n};
}

/// For multiply(): nothing to do with a slab but to multiply it.
struct NothingPerSlab {
  template <class Stage>
  __device__ __forceinline__ void operator()(const Stage&) const {}
};

}  // namespace cudacards
