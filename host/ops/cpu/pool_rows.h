#pragma once
// The pass behind a convolution: 2 x 2 max pool and activation of rows that are still in the cache.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"

namespace cudacards::cpu {

/// conv: 2 * rows convolution rows of `width` pixels, fp32 (2 * rows, width, K), bias included -> dst (rows, width / 2,
/// K) and, where not null, winners (rows, width / 2, K) as PooledConv describes. The first of equals wins; a NaN wins
/// over numbers.
template <class T>
void pool_rows(const float* conv, int rows, int width, int k, Activation activation, T* dst, std::uint8_t* winners);

extern template void pool_rows(const float*, int, int, int, Activation, float*, std::uint8_t*);
extern template void pool_rows(const float*, int, int, int, Activation, Bf16*, std::uint8_t*);

}  // namespace cudacards::cpu
