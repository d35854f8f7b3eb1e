#pragma once
// oneDNN's implementations of the operations on the CPU, for the lists in host/ops/*.cpp. All work on plain NHWC
// tensors and fp32 master parameters; what a primitive wants in another layout is copied into the kernel's packed
// memory when the parameters change.

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation
    kOnednnConv2dPool;  // convolution + bias + activation + max pool as one pass over strips of rows
extern const Implementation kOnednnConv2dThenPool;  // the same in two passes, for other windows and sizes
extern const Implementation kOnednnConv2d;          // any kernel, stride, padding and groups; no pool
extern const Implementation kOnednnDense;
extern const Implementation kOnednnGlobalAveragePool;
extern const Implementation kOnednnSoftmax;
extern const Implementation kOnednnBatchNorm;

}  // namespace cudacards
