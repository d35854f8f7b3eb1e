#pragma once
// One implementation for one node: by rule, by measurement, or by the order of its operation's list.

#include <memory>

#include "host/graph/plan.h"

namespace cudacards {

/// Fills the node's implementation, refusals, choice and memory. Throws UsageError where an implementation that was
/// asked for by name cannot be had.
std::unique_ptr<Kernel> choose(PlanNode& node, const PlanOptions& options);

/// Those on the list that support the node's problem, in order.
std::vector<const Implementation*> supporting_implementations(const PlanNode& node);

}  // namespace cudacards
