// mean[c] = sum over rows of src[row, c] / rows; variance[c] = sum of (src[row, c] - mean[c])^2 / rows;
// rstd = 1 / sqrt(variance + epsilon); running = momentum * running + (1 - momentum) * batch.
//
//   step 1, a block a slab (slab.h)                   step 2, 16 lanes a channel
//   thread: 4 rows in registers -> their mean, then   (slabs, C) -> (C) in the same way, then rstd and the running
//   their squared deviations; merged into the         statistics
//   thread's; lanes merged in shared memory
//
// Why merged sets: sums of x and x^2 lose all digits where the mean is far from zero; sums shifted by one sample do
// where that sample is an outlier (a mostly dead ReLU channel); a second pass over memory would read src twice. Four
// rows at a time keep the division of Welford's update off all but every fourth row, and four loads on their way.
//
// Reads rows * C elements once, 4.5 FLOPs each: memory. The partial numbers are 8 bytes * slabs * C, at most 528
// blocks'. The order of every sum follows from rows and C alone.

#include "kernels/batch_norm/kernels.cuh"
#include "kernels/batch_norm/lanes.cuh"
#include "kernels/simt/launch.h"

namespace cudacards {
namespace {

/// Mean and squared deviations of up to kRowsAtOnce rows of this thread's column; at least one is there.
template <class T, int V>
__device__ __forceinline__ Pair<V> moments_of_rows(const T* src, std::int64_t row, int lanes, std::int64_t end_row,
                                                   const SlabPlace& at, int channels) {
  Vec<T, V> x[kRowsAtOnce] = {};
  int count = 0;
#pragma unroll
  for (int r = 0; r < kRowsAtOnce; ++r) {
    if (row + std::int64_t{r} * lanes >= end_row) continue;
    x[r] = load_vector<V>(src + (row + std::int64_t{r} * lanes) * channels + at.channel);
    ++count;
  }
  Pair<V> moments;
  moments.count = static_cast<float>(count);
  const float share = 1.0f / moments.count;
#pragma unroll
  for (int v = 0; v < V; ++v) {
    float sum = 0;
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r) sum += to_float(x[r][v]);  // rows that are not there are 0
    moments.a[v] = sum * share;
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r) {
      const float apart = r < count ? to_float(x[r][v]) - moments.a[v] : 0.0f;
      moments.b[v] += apart * apart;
    }
  }
  return moments;
}

template <class T, int V>
__global__ void __launch_bounds__(kBatchNormThreads)
    batch_norm_statistics_kernel(BatchNormProblem p, SlabGeometry g, const T* src, float* partial) {
  const SlabPlace at = place_in<V>(p, g);
  Pair<V> mine;
  if (at.works) {
    for (std::int64_t row = at.first_row; row < at.end_row; row += std::int64_t{g.lanes} * kRowsAtOnce)
      merge<Merge::kMoments>(mine, moments_of_rows<T, V>(src, row, g.lanes, at.end_row, at, p.channels));
  }
  auto& scratch = shared<PairScratch<V, kBatchNormThreads>>();
  merge_lanes<Merge::kMoments>(mine, at.works, at.lane, g.lanes, g.columns, scratch);
  store_partial(p, g, scratch, partial);
}

struct FinishArgs {
  const float* partial;
  float* saved_mean;
  float* saved_rstd;
  float* running_mean;
  float* running_variance;
};

__global__ void __launch_bounds__(kFinishThreads)
    batch_norm_finish_statistics_kernel(BatchNormProblem p, SlabGeometry g, FinishArgs args) {
  const Pair<1> all = merge_slabs<Merge::kMoments>(p, g, args.partial);
  const int channel = static_cast<int>(blockIdx.x * kFinishColumns + threadIdx.x);
  if (threadIdx.x >= kFinishColumns || channel >= p.channels) return;
  const float mean = all.a[0];
  const float variance = all.b[0] / static_cast<float>(p.rows);
  args.saved_mean[channel] = mean;
  args.saved_rstd[channel] = 1.0f / sqrtf(variance + p.epsilon);
  if (args.running_mean == nullptr) return;
  args.running_mean[channel] = p.momentum * args.running_mean[channel] + (1.0f - p.momentum) * mean;
  args.running_variance[channel] = p.momentum * args.running_variance[channel] + (1.0f - p.momentum) * variance;
}

template <class T, int V>
Status start(const BatchNormProblem& p, const BatchNormTrainingArgs& args, Stream stream) {
  const SlabGeometry g = reduce_geometry(p, V);
  auto* partial = static_cast<float*>(args.workspace);
  const Status status =
      launch(batch_norm_statistics_kernel<T, V>, slab_grid(g, stream), p, g, static_cast<const T*>(args.src), partial);
  if (!status) return status;
  return launch(batch_norm_finish_statistics_kernel, finish_grid(p, stream), p, g,
                FinishArgs{partial, args.saved_mean, args.saved_rstd, args.running_mean, args.running_variance});
}

}  // namespace

Status batch_norm_statistics(const BatchNormProblem& p, DType type, const BatchNormTrainingArgs& args, Stream stream) {
  const bool vectors = batch_norm_vector(p.channels, type) > 1;
  if (type == DType::kF32) return vectors ? start<float, 4>(p, args, stream) : start<float, 1>(p, args, stream);
  return vectors ? start<__nv_bfloat16, 8>(p, args, stream) : start<__nv_bfloat16, 1>(p, args, stream);
}

}  // namespace cudacards
