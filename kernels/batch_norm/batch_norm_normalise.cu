// dst = activation((src - mean) * scale + beta), scale = gamma * rstd, a thread a column of 16 bytes (slab.h).
//
//   block: its channels' mean, scale, beta -> shared memory, once     thread: V of each in registers, then
//                                                                     4 rows loaded, 4 rows stored, ...
//
// Moves 2 * rows * C elements, 3 FLOPs each: memory. scale and beta - mean * scale folded into one multiply-add would
// save a subtraction and lose the digits of a mean far from zero.

#include "kernels/batch_norm/kernels.cuh"

namespace cudacards {
namespace {

template <class T, int V, BatchNormStatistics kStatistics>
__global__ void __launch_bounds__(kBatchNormThreads)
    batch_norm_normalise_kernel(BatchNormProblem p, SlabGeometry g, const T* src, NormArgs args, T* dst) {
  auto& table = shared<AffineTable<V>>();
  fill_table<kStatistics>(p, g, args, table);
  __syncthreads();  // the table is written
  const SlabPlace at = place_in<V>(p, g);
  if (!at.works) return;
  const Affine<V> f = affine_of(table, at.column);
  const std::int64_t step = std::int64_t{g.lanes} * p.channels;
  for (std::int64_t row = at.first_row; row < at.end_row; row += std::int64_t{g.lanes} * kRowsAtOnce) {
    const std::int64_t first = row * p.channels + at.channel;
    Vec<T, V> x[kRowsAtOnce];
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r)
      if (row + std::int64_t{r} * g.lanes < at.end_row) x[r] = load_vector<V>(src + first + r * step);
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r) {
      if (row + std::int64_t{r} * g.lanes >= at.end_row) continue;
#pragma unroll
      for (int v = 0; v < V; ++v) x[r][v] = from_float<T>(apply(p.activation, f(v, to_float(x[r][v]))));
      store_vector(dst + first + r * step, x[r]);
    }
  }
}

template <class T, int V>
Status start(const BatchNormProblem& p, BatchNormStatistics statistics, const void* src, const NormArgs& norm,
             void* dst, Stream stream) {
  const SlabGeometry g = stream_geometry(p, V);
  const auto kernel = statistics == BatchNormStatistics::kBatch
                          ? batch_norm_normalise_kernel<T, V, BatchNormStatistics::kBatch>
                          : batch_norm_normalise_kernel<T, V, BatchNormStatistics::kRunning>;
  return launch(kernel, slab_grid(g, stream), p, g, static_cast<const T*>(src), norm, static_cast<T*>(dst));
}

}  // namespace

Status batch_norm_normalise(const BatchNormProblem& p, DType type, BatchNormStatistics statistics, const void* src,
                            const NormArgs& norm, void* dst, Stream stream) {
  const bool vectors = batch_norm_vector(p.channels, type) > 1;
  if (type == DType::kF32) {
    return vectors ? start<float, 4>(p, statistics, src, norm, dst, stream)
                   : start<float, 1>(p, statistics, src, norm, dst, stream);
  }
  return vectors ? start<__nv_bfloat16, 8>(p, statistics, src, norm, dst, stream)
                 : start<__nv_bfloat16, 1>(p, statistics, src, norm, dst, stream);
}

}  // namespace cudacards
