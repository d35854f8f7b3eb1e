#pragma once
// From layers to the steps of a plan: what leads to the result, each operation with all it can absorb.

#include <memory>
#include <vector>

#include "host/graph/graph.h"

namespace cudacards {

/// One step: the layers it computes (first to last) and the operation that does it. Inputs are indices of steps; -1 is
/// the graph's input.
struct FusedStep {
  std::vector<int> layers;
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs;
};

/// Which batch norms become part of the convolution in front of them: all (inference), or those that are frozen
/// together with it (training).
enum class Folding : std::uint8_t { kAll, kFrozen };

/// For each layer whether the result depends on it.
std::vector<bool> layers_that_lead_to_the_result(const Graph& graph);

/// Steps in order of execution. Layers that the result does not depend on are left out. With `fuse` false every layer
/// is a step.
std::vector<FusedStep> fuse_layers(const Graph& graph, bool fuse, Folding folding = Folding::kFrozen);

}  // namespace cudacards
