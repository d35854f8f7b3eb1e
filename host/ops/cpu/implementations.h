#pragma once
// Vectorised loops for what oneDNN has only with another treatment of NaN or of equals.

#include "host/ops/operation.h"

namespace cudacards {

extern const Implementation kCpuMaxPool;
extern const Implementation kCpuActivation;
extern const Implementation kCpuAdd;

}  // namespace cudacards
