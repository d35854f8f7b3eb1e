#pragma once
// The products of a 1 x 1 convolution between few channels and many, as MobileNetV2 is made of: so few multiplications
// for each byte that a matrix library spends its time on rearranging. Here vectors are of the many channels, the few are
// spread over all lanes one by one, and nothing is rearranged but the weights.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"

namespace cudacards::cpu {

/// `pixels` rows of a tensor with `narrow` channels beside one with `wide`.
struct PointwiseSizes {
  std::int64_t pixels = 1;
  std::int64_t narrow = 1;  // at most kMostNarrow
  std::int64_t wide = 16;   // a multiple of 16
};

constexpr std::int64_t kMostNarrow = 64;

/// Whether this build and these sizes have the functions below.
bool supports_pointwise_products(const PointwiseSizes& sizes);

/// dst (pixels, wide) = activation(src (pixels, narrow) * weights (narrow, wide) + bias (wide), which may be null), or
/// is added to dst.
template <class T>
void widen(const PointwiseSizes& sizes, const T* src, const float* weights, const float* bias, Activation activation,
           GradMode mode, T* dst);

/// Floats of `sums` below: (narrow, wide) of each thread.
std::int64_t outer_sum_elements(const PointwiseSizes& sizes, int threads);

/// The first (narrow, wide) of sums = narrow_rows (pixels, narrow)^T * wide_rows (pixels, wide), added up in an order
/// that only the number of threads decides.
template <class T>
void add_outer_products(const PointwiseSizes& sizes, const T* narrow_rows, const T* wide_rows, float* sums);

}  // namespace cudacards::cpu
