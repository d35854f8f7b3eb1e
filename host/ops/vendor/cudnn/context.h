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

/// What a graph over tensors of `type` may do, by the problem's precision.
EngineRules rules_for(const Problem& problem, DType type);

}  // namespace cudacards::cudnn
