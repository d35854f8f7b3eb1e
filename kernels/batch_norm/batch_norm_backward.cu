// g = diff_dst * activation'(y), y = activation((src - mean) * scale + beta) rounded as dst was, scale = gamma * rstd
// diff_beta = sum g; diff_gamma = rstd * sum g * (src - mean)
// diff_src = scale * (g - diff_beta / rows - (src - mean) * rstd * diff_gamma / rows); with running statistics
//            scale * g
//
//   sums:   a thread a column of 16 bytes (slab.h), two sums a channel in registers, lanes merged in shared memory;
//           then 16 lanes a channel add up the slabs
//   data:   the same columns, per channel mean, scale, beta and the two means in registers
//
// The mask is computed from src, which both steps read anyway: 4 * rows * C elements read and one written, instead of 6
// and one with a stored dst. 7 and 9 FLOPs an element: memory.
// With running statistics diff_src needs no sums: 3 tensors move where the parameters' gradients are not wanted.

#include "kernels/batch_norm/kernels.cuh"

namespace cudacards {
namespace {

/// Rows r of src and diff_dst at `first`, as far as there are some.
template <class T, int V>
struct RowPairs {
  Vec<T, V> x[kPairsAtOnce], g[kPairsAtOnce];

  __device__ __forceinline__ RowPairs(const T* src, const T* diff_dst, std::int64_t first, std::int64_t step,
                                      int rows) {
#pragma unroll
    for (int r = 0; r < kPairsAtOnce; ++r) {
      if (r >= rows) continue;
      x[r] = load_vector<V>(src + first + r * step);
      g[r] = load_vector<V>(diff_dst + first + r * step);
    }
  }
};

/// How many of the rows row, row + lanes, ... are before `end`, at most kPairsAtOnce.
__device__ __forceinline__ int rows_at(std::int64_t row, std::int64_t end, int lanes) {
  return static_cast<int>(min((end - row + lanes - 1) / lanes, std::int64_t{kPairsAtOnce}));
}

/// diff_dst behind the activation: forward's own arithmetic decides, rounded to dst's type (5.999 is 6 in bf16).
template <class T, int V>
__device__ __forceinline__ float masked(const Affine<V>& f, int v, Activation activation, float x, float diff_dst) {
  const float y = to_float(from_float<T>(apply(activation, f(v, x))));
  return diff_dst * derivative_from_result(activation, y);
}

template <class T, int V, BatchNormStatistics kStatistics>
__global__ void __launch_bounds__(kBatchNormThreads, kBackwardBlocks)
    batch_norm_backward_sums_kernel(BatchNormProblem p, SlabGeometry g, const T* src, const T* diff_dst, NormArgs args,
                                    float* partial) {
  struct Shared {
    AffineTable<V> table;
    PairScratch<V, kBatchNormThreads> scratch;
  };
  auto& block = shared<Shared>();
  fill_table<kStatistics>(p, g, args, block.table);
  __syncthreads();  // the table is written
  const SlabPlace at = place_in<V>(p, g);
  Pair<V> mine;
  if (at.works) {
    const Affine<V> f = affine_of(block.table, at.column);
    const std::int64_t step = std::int64_t{g.lanes} * p.channels;
    for (std::int64_t row = at.first_row; row < at.end_row; row += std::int64_t{g.lanes} * kPairsAtOnce) {
      const int rows = rows_at(row, at.end_row, g.lanes);
      const RowPairs<T, V> in(src, diff_dst, row * p.channels + at.channel, step, rows);
#pragma unroll
      for (int r = 0; r < kPairsAtOnce; ++r) {
        if (r >= rows) continue;
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const float x = to_float(in.x[r][v]);
          const float diff = masked<T>(f, v, p.activation, x, to_float(in.g[r][v]));
          mine.a[v] += diff;
          mine.b[v] += diff * (x - f.mean[v]);
        }
      }
    }
  }
  merge_lanes<Merge::kSums>(mine, at.works, at.lane, g.lanes, g.columns, block.scratch);
  store_partial(p, g, block.scratch, partial);
}

struct FinishArgs {
  const float* partial;
  const float* spread;
  float* sums;  // (2, C): diff_beta, diff_gamma
  float* diff_gamma;
  float* diff_beta;
  GradMode mode;
};

__device__ __forceinline__ void put(GradMode mode, float* to, float value) {
  if (mode == GradMode::kIgnore || to == nullptr) return;
  *to = mode == GradMode::kAccumulate ? *to + value : value;
}

template <BatchNormStatistics kStatistics>
__global__ void __launch_bounds__(kFinishThreads)
    batch_norm_finish_sums_kernel(BatchNormProblem p, SlabGeometry g, FinishArgs args) {
  const Pair<1> all = merge_slabs<Merge::kSums>(p, g, args.partial);
  const int channel = static_cast<int>(blockIdx.x * kFinishColumns + threadIdx.x);
  if (threadIdx.x >= kFinishColumns || channel >= p.channels) return;
  const float diff_beta = all.a[0];
  const float diff_gamma = all.b[0] * rstd_of<kStatistics>(args.spread[channel], p.epsilon);
  args.sums[channel] = diff_beta;
  args.sums[p.channels + channel] = diff_gamma;
  put(args.mode, args.diff_beta == nullptr ? nullptr : args.diff_beta + channel, diff_beta);
  put(args.mode, args.diff_gamma == nullptr ? nullptr : args.diff_gamma + channel, diff_gamma);
}

/// What the batch's own statistics take off g: mean_g + (src - mean) * slope.
template <int V>
struct MeansTable {
  PerChannel<V, kBatchNormTuning.columns> mean_g, slope;
};

template <int V>
__device__ __forceinline__ void fill_means(const BatchNormProblem& p, const SlabGeometry& g, const float* rstd,
                                           const float* sums, MeansTable<V>& table) {
  const int first = static_cast<int>(blockIdx.y) * g.columns * V;
  const int channels = min(g.columns * V, p.channels - first);
  const float share = 1.0f / static_cast<float>(p.rows);
  for (int i = static_cast<int>(threadIdx.x); i < channels; i += kBatchNormThreads) {
    table.mean_g.of_channel(i) = sums[first + i] * share;
    table.slope.of_channel(i) = sums[p.channels + first + i] * share * rstd[first + i];
  }
}

/// `sums` is read with the batch's statistics only.
template <class T, int V, BatchNormStatistics kStatistics>
__global__ void __launch_bounds__(kBatchNormThreads, kBackwardBlocks)
    batch_norm_backward_data_kernel(BatchNormProblem p, SlabGeometry g, const T* src, const T* diff_dst, NormArgs args,
                                    const float* sums, GradMode mode, T* diff_src) {
  constexpr bool kCentres = kStatistics == BatchNormStatistics::kBatch;
  struct Shared {
    AffineTable<V> table;
    MeansTable<V> means;
  };
  auto& block = shared<Shared>();
  fill_table<kStatistics>(p, g, args, block.table);
  if constexpr (kCentres) fill_means(p, g, args.spread, sums, block.means);
  __syncthreads();  // the tables are written
  const SlabPlace at = place_in<V>(p, g);
  if (!at.works) return;
  const Affine<V> f = affine_of(block.table, at.column);
  float mean_g[V] = {}, slope[V] = {};
#pragma unroll
  for (int v = 0; v < V; ++v) {
    if constexpr (kCentres) mean_g[v] = block.means.mean_g.at(v, at.column);
    if constexpr (kCentres) slope[v] = block.means.slope.at(v, at.column);
  }
  const std::int64_t step = std::int64_t{g.lanes} * p.channels;
  for (std::int64_t row = at.first_row; row < at.end_row; row += std::int64_t{g.lanes} * kPairsAtOnce) {
    const int rows = rows_at(row, at.end_row, g.lanes);
    const std::int64_t first = row * p.channels + at.channel;
    const RowPairs<T, V> in(src, diff_dst, first, step, rows);
#pragma unroll
    for (int r = 0; r < kPairsAtOnce; ++r) {
      if (r >= rows) continue;
      Vec<T, V> out = {};
      if (mode == GradMode::kAccumulate) out = load_vector<V>(diff_src + first + r * step);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const float x = to_float(in.x[r][v]);
        float diff = masked<T>(f, v, p.activation, x, to_float(in.g[r][v]));
        if constexpr (kCentres) diff -= mean_g[v] + (x - f.mean[v]) * slope[v];
        out[v] = from_float<T>(to_float(out[v]) + f.scale[v] * diff);
      }
      store_vector(diff_src + first + r * step, out);
    }
  }
}

NormArgs norm_of(const BatchNormBackwardArgs& args) { return {args.gamma, args.beta, args.mean, args.spread}; }

template <class T, int V, BatchNormStatistics kStatistics>
Status start_sums(const BatchNormProblem& p, const BatchNormBackwardArgs& args, Stream stream) {
  const SlabGeometry g = reduce_geometry(p, V);
  auto* partial = static_cast<float*>(args.workspace);
  const Status status =
      launch(batch_norm_backward_sums_kernel<T, V, kStatistics>, slab_grid(g, stream), p, g,
             static_cast<const T*>(args.src), static_cast<const T*>(args.diff_dst), norm_of(args), partial);
  if (!status) return status;
  return launch(batch_norm_finish_sums_kernel<kStatistics>, finish_grid(p, stream), p, g,
                FinishArgs{partial, args.spread, final_sums(p, g, args.workspace), args.diff_gamma, args.diff_beta,
                           args.diff_parameters_mode});
}

template <class T, int V, BatchNormStatistics kStatistics>
Status start_data(const BatchNormProblem& p, const BatchNormBackwardArgs& args, Stream stream) {
  const float* sums =
      kStatistics == BatchNormStatistics::kBatch ? final_sums(p, reduce_geometry(p, V), args.workspace) : nullptr;
  const SlabGeometry g = stream_geometry(p, V);
  return launch(batch_norm_backward_data_kernel<T, V, kStatistics>, slab_grid(g, stream), p, g,
                static_cast<const T*>(args.src), static_cast<const T*>(args.diff_dst), norm_of(args), sums,
                args.diff_src_mode, static_cast<T*>(args.diff_src));
}

template <class T, int V>
Status start(const BatchNormProblem& p, const BatchNormBackwardArgs& args, Stream stream) {
  constexpr auto kBatch = BatchNormStatistics::kBatch, kRunning = BatchNormStatistics::kRunning;
  const bool is_batch = args.statistics == kBatch;
  const bool wants_data = args.diff_src_mode != GradMode::kIgnore;
  if (args.diff_parameters_mode != GradMode::kIgnore || (is_batch && wants_data)) {
    const Status status =
        is_batch ? start_sums<T, V, kBatch>(p, args, stream) : start_sums<T, V, kRunning>(p, args, stream);
    if (!status) return status;
  }
  if (!wants_data) return Status::ok();
  return is_batch ? start_data<T, V, kBatch>(p, args, stream) : start_data<T, V, kRunning>(p, args, stream);
}

}  // namespace

Status batch_norm_backward_steps(const BatchNormProblem& p, DType type, const BatchNormBackwardArgs& args,
                                 Stream stream) {
  const bool vectors = batch_norm_vector(p.channels, type) > 1;
  if (type == DType::kF32) return vectors ? start<float, 4>(p, args, stream) : start<float, 1>(p, args, stream);
  return vectors ? start<__nv_bfloat16, 8>(p, args, stream) : start<__nv_bfloat16, 1>(p, args, stream);
}

}  // namespace cudacards
