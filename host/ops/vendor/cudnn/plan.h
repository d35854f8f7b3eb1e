#pragma once
// A graph with the engine that runs it.

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "host/ops/vendor/cudnn/descriptor.h"
#include "host/ops/vendor/cudnn/engine_choice.h"
#include "host/ops/vendor/cudnn/graph.h"
#include "kernels/base/stream.h"

namespace cudacards::cudnn {

/// What plans are made for: the GPU of a handle, or one that is only described and whose plans cannot be executed.
struct Target {
  const Functions* cudnn = nullptr;
  cudnnHandle_t handle = nullptr;
  const Descriptor* properties = nullptr;  // CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, where there is no handle
};

/// Memory for one of a graph's tensors that are not virtual. Inputs are not written, whatever the type says.
struct Binding {
  Id id;
  const void* memory;
};

/// What an execution is given: addresses under the names of the graph's tensors, and scratch memory.
Descriptor variant_pack(const Functions& cudnn, std::initializer_list<Binding> tensors, void* workspace);

class Plan {
 public:
  /// Asks the heuristics (mode A, then the fallback list) and takes the first engine that the rules allow and that can
  /// be made. Throws Refused with the reason where none is. Kernels may be compiled here: seconds at worst.
  Plan(const Target& target, const Graph& graph, const EngineRules& rules);

  std::size_t workspace() const { return vendor::padded_workspace(workspace_); }  // bytes, wherever they lie
  const Engine& engine() const { return engine_; }

  /// Enqueues the graph; every tensor with memory must be bound. Nothing is allocated on the device and nothing is
  /// synchronised, so that a stream's capture takes it. Throws Error.
  void execute(std::initializer_list<Binding> tensors, void* workspace, Stream stream) const;

 private:
  const Target target_;
  std::unique_ptr<const Descriptor> plan_;
  std::size_t workspace_ = 0;
  Engine engine_;
};

}  // namespace cudacards::cudnn
