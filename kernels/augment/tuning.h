#pragma once
// Sizes of a block's work. Data, with where it comes from.

namespace cudacards {

//   architecture | piece: threads, pixels | blur: threads, width, height | evidence
//   sm_80, sm_90 |   256         1024     |  256        64      16       | not measured
//
// A piece: 12 KB of shared memory, 8 blocks an SM. The blur's columns are computed for up to 30 pixels on either side
// of the tile: 64 wide, a sigma of 1 computes 1.1 times the columns and a sigma of 10 twice.
struct PieceTuning {
  int threads, pixels;
};
constexpr PieceTuning kPieceTuning = {.threads = 256, .pixels = 1024};

struct BlurTuning {
  int threads, width, height;
};
constexpr BlurTuning kBlurTuning = {.threads = 256, .width = 64, .height = 16};

}  // namespace cudacards
