#include "host/ops/vendor/cudnn/plan.h"

#include <fmt/format.h>

#include "host/ops/vendor/cudnn/operations.h"
#include "host/runtime/error.h"

namespace cudacards::cudnn {
namespace {

// What a handle or a description of the GPU is called in each descriptor that wants one.
void set_device(const Target& target, Descriptor& descriptor, cudnnBackendAttributeName_t properties) {
  if (target.properties != nullptr) descriptor.set(properties, *target.properties);
}

Descriptor operation_graph(const Target& target, const Operations& operations) {
  Descriptor graph(*target.cudnn, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, target.handle);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations.all());
  graph.finalize("a graph of operations");
  return graph;
}

/// Engine configurations in the heuristics' order.
std::vector<Descriptor> ask_heuristics(const Target& target, const Descriptor& graph, cudnnBackendHeurMode_t mode) {
  Descriptor heuristics(*target.cudnn, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  set_device(target, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
  heuristics.finalize("asking for engines");
  std::vector<Descriptor> configurations;
  const std::int64_t count = heuristics.fill(CUDNN_ATTR_ENGINEHEUR_RESULTS, configurations);
  for (std::int64_t i = 0; i < count; ++i)
    configurations.emplace_back(*target.cudnn, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  const std::int64_t filled = heuristics.fill(CUDNN_ATTR_ENGINEHEUR_RESULTS, configurations);
  while (static_cast<std::int64_t>(configurations.size()) > filled) configurations.pop_back();
  return configurations;
}

Engine describe(const Functions& cudnn, const Descriptor& configuration) {
  std::vector<Descriptor> engine;
  engine.emplace_back(cudnn, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  configuration.fill(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  return {.index = engine[0].get<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX),
          .notes = engine[0].get_all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                  CUDNN_NUMERICAL_NOTE_TYPE_COUNT),
          .workspace = static_cast<std::size_t>(configuration.get<std::int64_t>(CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE))};
}

std::unique_ptr<Descriptor> execution_plan(const Target& target, const Descriptor& configuration) {
  auto plan = std::make_unique<Descriptor>(*target.cudnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (target.handle != nullptr) plan->set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
  set_device(target, *plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  plan->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  plan->finalize("making an engine");
  return plan;
}

}  // namespace

Plan::Plan(const Target& target, const Graph& graph, const EngineRules& rules) : target_(target) {
  const Operations operations(*target.cudnn, graph);
  const Descriptor operation_graph_descriptor = operation_graph(target, operations);
  std::string reason;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    const std::vector<Descriptor> configurations = [&] {
      try {
        return ask_heuristics(target, operation_graph_descriptor, mode);
      } catch (const Refused& refused) {
        if (reason.empty()) reason = refused.what();
        return std::vector<Descriptor>{};
      }
    }();
    std::vector<Engine> engines;
    for (const Descriptor& configuration : configurations) engines.push_back(describe(*target.cudnn, configuration));
    const EngineChoice choice = choose_engines(engines, rules);
    if (reason.empty()) reason = choice.reason;
    for (const std::size_t usable : choice.usable) {
      try {
        plan_ = execution_plan(target, configurations[usable]);
      } catch (const Refused& refused) {
        reason = refused.what();
        continue;
      }
      engine_ = engines[usable];
      workspace_ = static_cast<std::size_t>(plan_->get<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
      return;
    }
  }
  throw Refused(reason);
}

Descriptor variant_pack(const Functions& cudnn, std::initializer_list<Binding> tensors, void* workspace) {
  std::vector<std::int64_t> ids;
  std::vector<void*> pointers;
  for (const Binding& tensor : tensors) {
    ids.push_back(static_cast<std::int64_t>(tensor.id));
    pointers.push_back(const_cast<void*>(tensor.memory));
  }
  Descriptor pack(cudnn, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(ids));
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(pointers));
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  pack.finalize("binding tensors");
  return pack;
}

void Plan::execute(std::initializer_list<Binding> tensors, void* workspace, Stream stream) const {
  const Functions& cudnn = *target_.cudnn;
  try {
    const Descriptor pack = variant_pack(cudnn, tensors, workspace_ == 0 ? nullptr : vendor::workspace_in(workspace));
    check(cudnn, cudnn.SetStream(target_.handle, stream), "choosing the stream");
    check(cudnn, cudnn.BackendExecute(target_.handle, plan_->get(), pack.get()), "running an engine");
  } catch (const Refused& refused) {
    throw Error(fmt::format("cuDNN: {}", refused.what()));
  }
}

}  // namespace cudacards::cudnn
