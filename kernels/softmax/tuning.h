#pragma once
// Who works on a row, by its length. Not measured on any architecture: latency, not bandwidth, decides for the batches
// of a training step (256 rows of 53 classes are 54 KB), so blocks are small and there are many.

namespace cudacards {

/// Classes up to which a warp keeps the row in registers: classes / 32 of them a lane.
constexpr int kShortRow = 64, kMiddleRow = 256, kLongestWarpRow = 1024;
/// Rows a block, one a warp.
constexpr int kWarpsOfRows = 4;
/// Threads of the block that works on one longer row.
constexpr int kThreadsOfRow = 256;
/// Such blocks an SM should hold: 64 registers a thread. Without it ptxas aims at 32 and spills.
constexpr int kBlocksOfRow = 4;

}  // namespace cudacards
