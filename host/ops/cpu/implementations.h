#pragma once
// Vectorised loops for what oneDNN does not have, or only with another treatment of NaN or of equals.

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kCpuMaxPool;
extern const Implementation kCpuActivation;
extern const Implementation kCpuDense;
extern const Implementation kCpuDepthwise;
extern const Implementation kCpuAdd;
extern const Implementation kCpuDropout;
extern const Implementation kCpuBatchNorm;

}  // namespace cudacards
