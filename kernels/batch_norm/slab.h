#pragma once
// How a block of a batch-norm kernel lies on (rows, C). A thread stays in its column, a vector of V neighbouring
// channels whose parameters it keeps in registers, and walks down the rows of the block's slab:
//
//            columns of 16 bytes (V channels)
//   row 0   | t0 | t1 | t2 |      columns = 3, lanes = 256 / 3 = 85: neighbouring threads are neighbours in a row and
//   row 1   | t3 | t4 | t5 |      then go on in the next, so a warp's load is 512 bytes of memory in one piece
//   ...
//   row 84  |t252|t253|t254|      thread 255 has no work
//   row 85  | t0 | ...
//
// blockIdx.x is the slab, blockIdx.y the group of columns.

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/batch_norm/problem.h"
#include "kernels/batch_norm/tuning.h"

namespace cudacards {

constexpr int kBatchNormThreads = kBatchNormTuning.threads;
constexpr int kRowsAtOnce = kBatchNormTuning.rows_at_once;
constexpr int kPairsAtOnce = kBatchNormTuning.pairs_at_once;
constexpr int kBackwardBlocks = kBatchNormTuning.backward_blocks;

/// Channels that one load moves: 16 bytes of them where they divide C, else one.
constexpr int batch_norm_vector(int channels, DType type) {
  const int most = 16 / static_cast<int>(size_of(type));
  return channels % most == 0 ? most : 1;
}

struct SlabGeometry {
  int vectors = 1;  // of V channels in a row
  int columns = 1;  // of them in a block
  int groups = 1;   // blocks beside each other
  int lanes = 1;    // rows that a block has in hand
  int slabs = 1;    // blocks below each other
  std::int64_t rows_per_slab = 1;
};

/// About `blocks` blocks, none with fewer rows than its threads take at once.
constexpr SlabGeometry slab_geometry(const BatchNormProblem& p, int vector, int blocks) {
  SlabGeometry g;
  g.vectors = p.channels / vector;
  g.groups = (g.vectors + kBatchNormTuning.columns - 1) / kBatchNormTuning.columns;
  g.columns = (g.vectors + g.groups - 1) / g.groups;
  if (g.groups > 1) g.columns += g.columns % 2;  // groups begin where 32-byte sectors of memory do
  g.lanes = kBatchNormThreads / g.columns;
  const std::int64_t at_once = std::int64_t{g.lanes} * kRowsAtOnce;
  const std::int64_t most = (p.rows + at_once - 1) / at_once;
  const std::int64_t wanted = blocks / g.groups < 1 ? 1 : blocks / g.groups;
  const std::int64_t slabs = wanted < most ? wanted : most;
  g.rows_per_slab = (p.rows + slabs - 1) / slabs;
  g.slabs = static_cast<int>((p.rows + g.rows_per_slab - 1) / g.rows_per_slab);
  return g;
}
constexpr SlabGeometry reduce_geometry(const BatchNormProblem& p, int vector) {
  return slab_geometry(p, vector, kBatchNormTuning.reduce_blocks);
}
constexpr SlabGeometry stream_geometry(const BatchNormProblem& p, int vector) {
  return slab_geometry(p, vector, kBatchNormTuning.stream_blocks);
}

}  // namespace cudacards
