#pragma once
// The project's own kernels as implementations for GPUs and the emulator, which share one list: what a kernel can do is
// asked of the table in Problem::target.
//
// Of each operation: the fast kernels, which want all tensors in one type, then "reference", which takes everything:
// the plain kernels in fp32, with what is stored as bf16 widened before and rounded after (widened.h).

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kCudaDense;
extern const Implementation kCudaReferenceDense;

}  // namespace cudacards
