#pragma once
// cuDNN on the GPU at hand: its handle, and the plans that were made for it.

#include <memory>

#include "host/ops/operation.h"
#include "host/ops/vendor/cudnn/plan.h"

namespace cudacards::cudnn {

/// Throws Refused, with the reason in words, where the problem is for no GPU, where there is no usable cuDNN, or where
/// this machine has no GPU to ask for engines.
void require_gpu(const Problem& problem);

/// The plan of a graph, made at the first request and shared by all that ask for the same: supports() and make(), and
/// layers of the same sizes. After require_gpu(). Throws Refused.
std::shared_ptr<const Plan> plan_for(const Graph& graph, const EngineRules& rules);

/// The same, null where it is refused.
std::shared_ptr<const Plan> plan_or_null(const Graph& graph, const EngineRules& rules);

/// cuDNN's handle, with the stream that calls go to from now on. After require_gpu().
cudnnHandle_t handle_on(Stream stream);

/// What a graph over tensors of `type` may do, by the problem's precision.
EngineRules rules_for(const Problem& problem, DType type);
/// The same of a graph that multiplies no two tensors as matrices: fp32 keeps its bits, whatever an engine's notes say
/// of tensor cores.
EngineRules rules_without_products(const Problem& problem);

}  // namespace cudacards::cudnn
