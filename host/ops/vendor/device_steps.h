#pragma once
// The passes of this project's kernels that stand between a library's calls on a GPU. All pointers are device memory;
// each throws Error where its kernel cannot be started.

#include "kernels/table.h"

namespace cudacards::vendor {

/// `elements` numbers of `type`, one after another.
struct Elements {
  DType type = DType::kF32;
  std::int64_t count = 0;
};

/// dst = activation(dst).
void activate(const KernelTable& kernels, Activation activation, const Elements& elements, void* dst, Stream stream);
/// masked = diff where the activation lets it through, by its result dst.
void mask_gradient(const KernelTable& kernels, Activation activation, const Elements& elements, const void* dst,
                   const void* diff, void* masked, Stream stream);
/// sum += addend.
void add_into(const KernelTable& kernels, const Elements& elements, const void* addend, void* sum, Stream stream);

}  // namespace cudacards::vendor
