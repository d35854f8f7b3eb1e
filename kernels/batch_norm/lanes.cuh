#pragma once
// What the batch-norm kernels share: the thread's place in a slab (slab.h), two numbers a channel merged over lanes in
// a fixed order, and the channels' parameters brought from shared memory into registers.

#include "kernels/base/activation.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm/slab.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/vector.h"

namespace cudacards {

struct SlabPlace {
  int column = 0, lane = 0;  // in the block
  int channel = 0;           // the first of this thread's V
  bool works = false;        // not beyond the last lane or the last column
  std::int64_t first_row = 0, end_row = 0;
};

template <int V>
__device__ __forceinline__ SlabPlace place_in(const BatchNormProblem& p, const SlabGeometry& g) {
  const int thread = static_cast<int>(threadIdx.x);
  SlabPlace at;
  at.column = thread % g.columns;
  at.lane = thread / g.columns;
  const int vector = static_cast<int>(blockIdx.y) * g.columns + at.column;
  at.channel = vector * V;
  at.works = at.lane < g.lanes && vector < g.vectors;
  const std::int64_t begin = blockIdx.x * g.rows_per_slab;
  at.first_row = begin + at.lane;
  at.end_row = min(begin + g.rows_per_slab, p.rows);
  return at;
}

/// A number for each of kWidth columns of V channels in shared memory. Written by channel (thread t channel t) and read
/// by column without bank conflicts: the rows of V are 32 / V banks apart.
template <int V, int kWidth>
struct PerChannel {
  static_assert(kWidth % 32 == 0 && 32 % V == 0, "the padding below");
  float x[V * (kWidth + 32 / V)];
  __device__ __forceinline__ float& at(int v, int column) { return x[v * (kWidth + 32 / V) + column]; }
  __device__ __forceinline__ float& of_channel(int channel) { return at(channel % V, channel / V); }
};

// --- two numbers a channel, merged over lanes

enum class Merge { kSums, kMoments };

/// kSums: two sums. kMoments: the mean and the sum of squared deviations from it, of `count` values each.
template <int V>
struct Pair {
  float count = 0;
  float a[V] = {}, b[V] = {};
};

/// Two sets' mean and squared deviations become those of both (Chan, Golub and LeVeque 1979): nothing cancels, however
/// far the mean is from zero.
template <Merge kMerge, int V>
__device__ __forceinline__ void merge(Pair<V>& into, const Pair<V>& other) {
  if constexpr (kMerge == Merge::kSums) {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      into.a[v] += other.a[v];
      into.b[v] += other.b[v];
    }
  } else {
    if (other.count == 0.0f) return;
    const float count = into.count + other.count;
    const float share = other.count / count;
    const float weight = into.count * share;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const float apart = other.a[v] - into.a[v];
      into.a[v] += apart * share;
      into.b[v] += other.b[v] + apart * apart * weight;
    }
    into.count = count;
  }
}

template <int V, int kThreads>
struct PairScratch {
  PerChannel<V, kThreads> a, b;
  float count[kThreads];
};

/// Merges the lanes of each column, halves onto halves: lane 0's `mine` and columns 0 ... columns - 1 of `scratch` end
/// as the result. All threads of the block call it; thread = lane * columns + column.
template <Merge kMerge, int V, int kThreads>
__device__ __forceinline__ void merge_lanes(Pair<V>& mine, bool works, int lane, int lanes, int columns,
                                            PairScratch<V, kThreads>& scratch) {
  const int thread = static_cast<int>(threadIdx.x);
  const auto put = [&] {
#pragma unroll
    for (int v = 0; v < V; ++v) {
      scratch.a.at(v, thread) = mine.a[v];
      scratch.b.at(v, thread) = mine.b[v];
    }
    if constexpr (kMerge == Merge::kMoments) scratch.count[thread] = mine.count;
  };
  if (works) put();
  for (int active = lanes; active > 1;) {
    const int half = (active + 1) / 2;
    __syncthreads();  // what the other half put is there
    if (works && lane + half < active) {
      const int partner = thread + half * columns;
      Pair<V> other;
#pragma unroll
      for (int v = 0; v < V; ++v) {
        other.a[v] = scratch.a.at(v, partner);
        other.b[v] = scratch.b.at(v, partner);
      }
      if constexpr (kMerge == Merge::kMoments) other.count = scratch.count[partner];
      merge<kMerge>(mine, other);
      put();
    }
    active = half;
  }
  __syncthreads();  // lane 0's results are there for every thread
}

/// A block's two numbers a channel into row `slab` of the two (slabs, C) halves of `partial`, neighbours side by side.
template <int V>
__device__ __forceinline__ void store_partial(const BatchNormProblem& p, const SlabGeometry& g,
                                              PairScratch<V, kBatchNormThreads>& scratch, float* partial) {
  const int first = static_cast<int>(blockIdx.y) * g.columns * V;
  const int channels = min(g.columns * V, p.channels - first);
  const std::int64_t half = std::int64_t{g.slabs} * p.channels;
  const std::int64_t to = std::int64_t{blockIdx.x} * p.channels + first;
  for (int i = static_cast<int>(threadIdx.x); i < channels; i += kBatchNormThreads) {
    partial[to + i] = scratch.a.of_channel(i);
    partial[half + to + i] = scratch.b.of_channel(i);
  }
}

// --- the second step: (slabs, C) partial numbers to (C)

constexpr int kFinishColumns = 32, kFinishLanes = 16, kFinishThreads = kFinishColumns * kFinishLanes;

/// Slabs that a lane has on their way from memory at once: merged one after the other they would cost a trip each.
constexpr int kSlabsAtOnce = 4;

/// Lane l of channel c merges slabs l, l + 16, ...; then the lanes are merged. Lane 0 returns the result.
template <Merge kMerge>
__device__ __forceinline__ Pair<1> merge_slabs(const BatchNormProblem& p, const SlabGeometry& g, const float* partial) {
  const int lane = static_cast<int>(threadIdx.x) / kFinishColumns;
  const int channel = static_cast<int>(blockIdx.x * kFinishColumns + threadIdx.x % kFinishColumns);
  const bool works = channel < p.channels;
  const std::int64_t half = std::int64_t{g.slabs} * p.channels;
  Pair<1> mine;
  for (int first = works ? lane : g.slabs; first < g.slabs; first += kSlabsAtOnce * kFinishLanes) {
    Pair<1> next[kSlabsAtOnce];
#pragma unroll
    for (int i = 0; i < kSlabsAtOnce; ++i) {
      const int slab = first + i * kFinishLanes;
      if (slab >= g.slabs) continue;
      const std::int64_t rows = min(g.rows_per_slab, p.rows - slab * g.rows_per_slab);
      const std::int64_t from = std::int64_t{slab} * p.channels + channel;
      next[i] = {static_cast<float>(rows), {partial[from]}, {partial[half + from]}};
    }
#pragma unroll
    for (int i = 0; i < kSlabsAtOnce; ++i)
      if (first + i * kFinishLanes < g.slabs) merge<kMerge>(mine, next[i]);
  }
  merge_lanes<kMerge>(mine, works, lane, kFinishLanes, kFinishColumns, shared<PairScratch<1, kFinishThreads>>());
  return mine;
}

// --- the affine function of a channel

template <BatchNormStatistics kStatistics>
__device__ __forceinline__ float rstd_of(float spread, float epsilon) {
  return kStatistics == BatchNormStatistics::kBatch ? spread : 1.0f / sqrtf(spread + epsilon);
}

struct NormArgs {
  const float* gamma;  // (C), as the three others
  const float* beta;
  const float* mean;
  const float* spread;  // rstd or variance
};

template <int V>
struct Affine {
  float mean[V], scale[V], beta[V];  // scale = gamma * rstd

  /// From the mean outwards, so that a mean far from zero costs no digits. Rounded the same wherever it is computed:
  /// the backward pass finds forward's mask by it.
  __device__ __forceinline__ float operator()(int v, float x) const {
    return __fmaf_rn(x - mean[v], scale[v], beta[v]);
  }
};

template <int V>
struct AffineTable {
  PerChannel<V, kBatchNormTuning.columns> mean, scale, beta;
};

/// Writes the block's table, channel by channel. The caller's barrier makes it readable.
template <BatchNormStatistics kStatistics, int V>
__device__ __forceinline__ void fill_table(const BatchNormProblem& p, const SlabGeometry& g, const NormArgs& args,
                                           AffineTable<V>& table) {
  const int first = static_cast<int>(blockIdx.y) * g.columns * V;
  const int channels = min(g.columns * V, p.channels - first);
  for (int i = static_cast<int>(threadIdx.x); i < channels; i += kBatchNormThreads) {
    table.mean.of_channel(i) = args.mean[first + i];
    table.scale.of_channel(i) = args.gamma[first + i] * rstd_of<kStatistics>(args.spread[first + i], p.epsilon);
    table.beta.of_channel(i) = args.beta[first + i];
  }
}

template <int V>
__device__ __forceinline__ Affine<V> affine_of(AffineTable<V>& table, int column) {
  Affine<V> f;
#pragma unroll
  for (int v = 0; v < V; ++v) {
    f.mean[v] = table.mean.at(v, column);
    f.scale[v] = table.scale.at(v, column);
    f.beta[v] = table.beta.at(v, column);
  }
  return f;
}

}  // namespace cudacards
