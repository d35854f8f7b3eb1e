#pragma once
// What of the convolution is decided without cuDNN.

#include "host/ops/vendor/cudnn/engine_choice.h"
#include "host/ops/vendor/device_affine.h"

namespace cudacards::cudnn {

/// False where an engine that takes the activation too would give up tensor cores for it: a pass of its own over the
/// result costs less. So it is with ReLU6 in bf16, which cuDNN 9.19 offers on sm_90 in its generic engine only.
bool keeps_tensor_cores(const Engine& fused, const Engine& plain);

}  // namespace cudacards::cudnn
