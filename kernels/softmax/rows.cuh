#pragma once
// A row of a (rows, classes) matrix in the hands of a warp or of a block, with one interface, so that a formula over a
// row is written once:
//
//   WarpRow    |lane 0|lane 1| ... |lane 31|lane 0| ...     element 32 j + lane is register j of its lane; read once
//   BlockRow   |thread 0: V elements|thread 1: V| ...       read from memory each time, which after the first is L2
//
// each(f, others...) calls f(i, x, others' x...) for this thread's elements; write(mode, dst, f, others...) puts what f
// returns into dst[i]. Reductions give every thread the result, in an order that only the lengths decide.

#include <cstdint>

#include "kernels/base/grad_mode.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"
#include "kernels/simt/warp.h"
#include "kernels/softmax/tuning.h"

namespace cudacards {

/// At most 32 kPerLane classes.
template <class T, int kPerLane>
class WarpRow {
 public:
  using Element = T;

  __device__ __forceinline__ WarpRow(const T* row, int classes) : classes_(classes) {
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      const int i = j * kWarpSize + lane_index();
      x_[j] = i < classes ? to_float(row[i]) : 0.0f;
    }
  }

  template <class F, class... Others>
  __device__ __forceinline__ void each(F f, const Others&... others) const {
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      const int i = j * kWarpSize + lane_index();
      if (i < classes_) f(i, x_[j], others.x_[j]...);
    }
  }
  template <class F, class... Others>
  __device__ __forceinline__ void write(GradMode mode, T* dst, F f, const Others&... others) const {
    each(
        [&](int i, auto... x) {
          const float old = mode == GradMode::kAccumulate ? to_float(dst[i]) : 0.0f;
          dst[i] = from_float<T>(old + f(i, x...));
        },
        others...);
  }

  /// After a reduction: what the row's threads read before it may be overwritten by any of them.
  __device__ __forceinline__ void sync() const { __syncwarp(); }
  __device__ __forceinline__ bool is_first_thread() const { return lane_index() == 0; }
  __device__ __forceinline__ float sum(float x) const { return warp_sum(x); }
  __device__ __forceinline__ float max(float x) const { return warp_max(x); }
  __device__ __forceinline__ int sum(int x) const { return __reduce_add_sync(kWholeWarp, x); }
  __device__ __forceinline__ int min(int x) const { return __reduce_min_sync(kWholeWarp, x); }

 private:
  int classes_;
  float x_[kPerLane];
};

/// What the block of a row shares.
struct RowScratch {
  static constexpr int kWarps = kThreadsOfRow / kWarpSize;
  float of_float[kWarps];
  int of_int[kWarps];
};

/// Any number of classes that is a multiple of kVector.
template <class T, int kVector>
class BlockRow {
 public:
  using Element = T;

  __device__ __forceinline__ BlockRow(const T* row, int classes, RowScratch& scratch)
      : row_(row), classes_(classes), scratch_(scratch) {}

  template <class F, class... Others>
  __device__ __forceinline__ void each(F f, const Others&... others) const {
    for (int first = static_cast<int>(threadIdx.x) * kVector; first < classes_; first += kThreadsOfRow * kVector)
      each_of(first, f, load_vector<kVector>(row_ + first), load_vector<kVector>(others.row_ + first)...);
  }
  template <class F, class... Others>
  __device__ __forceinline__ void write(GradMode mode, T* dst, F f, const Others&... others) const {
    for (int first = static_cast<int>(threadIdx.x) * kVector; first < classes_; first += kThreadsOfRow * kVector) {
      Vec<T, kVector> result = {};
      if (mode == GradMode::kAccumulate) result = load_vector<kVector>(dst + first);
      const auto add = [&](int i, auto... x) {
        result[i - first] = from_float<T>(to_float(result[i - first]) + f(i, x...));
      };
      each_of(first, add, load_vector<kVector>(row_ + first), load_vector<kVector>(others.row_ + first)...);
      store_vector(dst + first, result);
    }
  }

  __device__ __forceinline__ void sync() const {}  // the reduction's barriers have seen to it
  __device__ __forceinline__ bool is_first_thread() const { return threadIdx.x == 0; }
  __device__ __forceinline__ float sum(float x) const { return block_sum(x, scratch_.of_float); }
  __device__ __forceinline__ float max(float x) const {
    return over_warps(warp_max(x), scratch_.of_float, [](float a, float b) { return fmaxf(a, b); });
  }
  __device__ __forceinline__ int sum(int x) const {
    return over_warps(__reduce_add_sync(kWholeWarp, x), scratch_.of_int, [](int a, int b) { return a + b; });
  }
  __device__ __forceinline__ int min(int x) const {
    return over_warps(__reduce_min_sync(kWholeWarp, x), scratch_.of_int, [](int a, int b) { return a < b ? a : b; });
  }

 private:
  template <class F, class... Vectors>
  __device__ __forceinline__ static void each_of(int first, F& f, const Vectors&... x) {
#pragma unroll
    for (int v = 0; v < kVector; ++v) f(first + v, to_float(x[v])...);
  }
  template <class Value, class F>
  __device__ __forceinline__ static Value over_warps(Value of_warp, Value (&partial)[RowScratch::kWarps], F f) {
    __syncthreads();  // the last reduction's partial values have been read
    if (lane_index() == 0) partial[warp_index()] = of_warp;
    __syncthreads();  // all partial values are there
    Value result = partial[0];
#pragma unroll
    for (int warp = 1; warp < RowScratch::kWarps; ++warp) result = f(result, partial[warp]);
    return result;
  }

  const T* row_;
  int classes_;
  RowScratch& scratch_;
};

/// Elements of one 16-byte load.
template <class T>
constexpr int kRowVector = 16 / static_cast<int>(sizeof(T));

}  // namespace cudacards
