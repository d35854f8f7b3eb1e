#pragma once
// A model in words and numbers: Keras' table, the plan's table, and the same as JSON.

#include <string>

#include "host/graph/graph.h"
#include "host/graph/plan.h"

namespace cudacards {

/// Layer, output shape, parameters; then totals, FLOPs and bytes of one picture, and the plan's memory.
std::string summary_table(const Graph& graph, const Plan& plan);
/// Node after fusion, shape, parameters, GFLOP, memory, implementation, and why the ones before it refused.
std::string plan_table(const Graph& graph, const Plan& plan);
/// {arch, input, layers[], parameters{total, trainable, non_trainable}, flops, planned_bytes, plan[]}; flops of one
/// picture's forward.
std::string summary_json(const std::string& arch, const Graph& graph, const Plan& plan);

}  // namespace cudacards
