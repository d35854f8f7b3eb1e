#pragma once
// Elementwise passes, in parallel over the CPU's threads and vectorised: activations and their gradients with the
// graph's treatment of NaN (oneDNN's turn it into 0), and sums into gradients.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"

namespace cudacards::cpu {

/// dst[i] = activation(src[i]); may be the same memory.
void activate(Activation activation, DType type, std::int64_t elements, const void* src, void* dst);

/// diff_src[i] = diff_dst[i] where the activation let dst[i] through, else 0.
void mask_gradient(Activation activation, DType type, std::int64_t elements, const void* dst, const void* diff_dst,
                   void* diff_src);

/// The same, added to diff_src.
void add_masked_gradient(Activation activation, DType type, std::int64_t elements, const void* dst,
                         const void* diff_dst, void* diff_src);

/// sum[i] += addend[i].
void add_into(DType type, std::int64_t elements, const void* addend, void* sum);

/// dst[i] = a[i] + b[i].
void add(DType type, std::int64_t elements, const void* a, const void* b, void* dst);

}  // namespace cudacards::cpu
