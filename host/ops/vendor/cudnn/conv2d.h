#pragma once
// What of the convolution is decided without cuDNN.

#include <string>

#include "host/ops/vendor/cudnn/engine_choice.h"
#include "host/ops/vendor/device_affine.h"

namespace cudacards::cudnn {

/// False where an engine that takes the activation too would give up tensor cores for it: a pass of its own over the
/// result costs less. So it is with ReLU6 in bf16, which cuDNN 9.19 offers on sm_90 in its generic engine only.
bool keeps_tensor_cores(const Engine& fused, const Engine& plain);

/// What a benchmark has to say of a bf16 gradient of the weights that no engine writes in fp32: both tensors are
/// widened by passes of their own, and the engine that then multiplies has tensor cores (tf32) or not.
std::string widened_note(bool has_tensor_cores);

}  // namespace cudacards::cudnn
