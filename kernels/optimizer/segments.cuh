#pragma once
// How a block finds its way through the table of segments. For .cu files.
//
//   buffer    |----- segment 0 -----|-- 1 --|   (a gap: frozen)   |----- segment 2 ----- ...
//   chunks    |   block 0   |   block 1   |   block 2   |   block 3   |
//   quads     four neighbours, aligned to 16 bytes: one thread, one vector where the quad lies in one segment;
//             a quad across a border goes element by element

#include <cstdint>
#include <type_traits>

#include "kernels/optimizer/problem.h"
#include "kernels/optimizer/tuning.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/warp.h"

namespace cudacards {

constexpr int kOptimizerThreads = kOptimizerTuning.threads;
constexpr int kOptimizerQuads = kOptimizerTuning.quads;
constexpr int kQuadElements = 4;  // 16 bytes of fp32
constexpr std::int64_t kChunkElements = std::int64_t{kOptimizerThreads} * kOptimizerQuads * kQuadElements;
static_assert(std::is_trivially_copyable_v<OptimizerSegment>, "the host's bytes are the device's");
static_assert(kOptimizerThreads % kWarpSize == 0, "whole warps search and reduce");

struct SegmentSearch {
  int first;
};

/// The first segment that ends after element `begin`, the same in every thread. Once a kernel: no barrier guards a
/// second call's write against this one's reads.
__device__ __forceinline__ int first_segment_after(const OptimizerSegment* segments, int count, std::int64_t begin) {
  SegmentSearch& search = shared<SegmentSearch>();
  if (warp_index() == 0) {
    int passed = 0;
    for (int here = kWarpSize; here == kWarpSize;) {  // 32 a round: one round for most models
      const int mine = passed + lane_index();
      here = __popc(__ballot_sync(kWholeWarp, mine < count && segments[mine].end <= begin));
      passed += here;
    }
    if (lane_index() == 0) search.first = passed;
  }
  __syncthreads();  // the first warp has found it
  return search.first;
}

/// Calls quad(element, index, segment) for quads of this block's chunk that lie in one segment and one(element, index,
/// segment) for the elements of those that don't. Elements outside of all segments are left alone.
template <class Quad, class One>
__device__ __forceinline__ void for_each_in_chunk(const OptimizerSegment* segments, int count, Quad&& quad, One&& one) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * kChunkElements;
  int s = first_segment_after(segments, count, begin);
  for (int i = 0; i < kOptimizerQuads; ++i) {
    const std::int64_t first = begin + std::int64_t{kQuadElements} * (i * kOptimizerThreads + threadIdx.x);
    while (s < count && segments[s].end <= first) ++s;
    if (s == count) return;
    if (segments[s].begin <= first && first + kQuadElements <= segments[s].end) {
      quad(first, s, segments[s]);
      continue;
    }
    for (std::int64_t element = first; element < first + kQuadElements; ++element) {
      while (s < count && segments[s].end <= element) ++s;
      if (s == count) return;
      if (segments[s].begin <= element) one(element, s, segments[s]);
    }
  }
}

}  // namespace cudacards
