#pragma once
// The gradient behind an activation, and sums into gradients: the elementwise halves of a backward pass that oneDNN's convolutions and
// inner products don't fuse.

#include <cstdint>

#include "host/ops/activation_kind.h"
#include "kernels/base/dtype.h"

namespace cudacards::onednn {

/// masked[i] = diff_dst[i] where the activation let dst[i] through, else 0. In parallel.
void mask_gradient(Activation activation, DType type, const void* diff_dst, const void* dst, std::int64_t elements, void* masked);

/// sum[i] += addend[i], in the tensor's type. In parallel.
void add_into(DType type, const void* addend, std::int64_t elements, void* sum);

}  // namespace cudacards::onednn
