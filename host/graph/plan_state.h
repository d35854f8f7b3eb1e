#pragma once
// The inside of a Plan: kernels, and for each the pointers that its calls take, bound once.

#include <memory>
#include <vector>

#include "host/graph/plan.h"

namespace cudacards {

/// A tensor of the plan with one owner: the graph's tensor input (index 0) or a node's result (index node + 1). Views
/// share their source's.
struct PlanValue {
  int storage = 0;  // the value whose memory this one is; itself, unless a view
  TensorDesc desc;
  bool needs_gradient = false;
  void* data = nullptr;
  void* diff = nullptr;
};

/// The pointers of one node's calls.
struct BoundNode {
  std::vector<const void*> src, backward_src;
  std::vector<void*> diff_src;
  std::vector<GradMode> diff_src_mode;
  std::vector<float*> parameters;
  std::vector<const float*> parameters_read;
  std::vector<float*> diff_parameters;
  void* dst = nullptr;
  const void* backward_dst = nullptr;
  const void* diff_dst = nullptr;
  void* workspace = nullptr;
  void* forward_scratchpad = nullptr;
  void* backward_scratchpad = nullptr;
  void* packed = nullptr;
};

struct Plan::State {
  PlanOptions options;
  InputKind input_kind = InputKind::kImage;
  Parameters* parameters = nullptr;
  std::vector<PlanNode> nodes;
  std::vector<std::unique_ptr<Kernel>> kernels;  // null for a view
  std::vector<PlanValue> values;
  std::vector<BoundNode> bound;
  Buffer arena, packed, gradients;
  std::uint64_t packed_version = 0;  // of the parameters that the packed copies were made from

  const PlanValue& input(const PlanNode& node, std::size_t i) const {
    return values[static_cast<std::size_t>(node.inputs[i] + 1)];
  }
  PlanValue& storage(int value) {
    return values[static_cast<std::size_t>(values[static_cast<std::size_t>(value)].storage)];
  }
  PlanValue& result() { return storage(static_cast<int>(nodes.size())); }

  void run_forward(const ImageBatch* images, const Step& step);  // all nodes
  void run_forward(std::size_t node, const ImageBatch* images, const Step& step);
  void run_backward(std::size_t node, const Step& step);
  Step with_version(Step step) const;
};

/// Fused, with nothing chosen and nothing placed.
std::unique_ptr<Plan::State> make_nodes(const Graph& graph, const PlanOptions& options);

/// Writes the tensor input into the plan's own memory, in the plan's precision.
void copy_input(const float* src, const PlanValue& input);

}  // namespace cudacards
