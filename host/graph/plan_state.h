#pragma once
// The inside of a Plan: kernels, and for each the pointers that its calls take, bound once.

#include <memory>
#include <vector>

#include "host/graph/plan.h"
#include "host/ops/device_parameters.h"
#include "host/runtime/device_buffer.h"

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
  std::vector<const Bf16*> parameters_bf16;  // on a device, in bf16
  std::vector<float*> diff_parameters;
  void* dst = nullptr;
  const void* backward_dst = nullptr;
  const void* diff_dst = nullptr;
  void* workspace = nullptr;
  void* forward_scratchpad = nullptr;
  void* backward_scratchpad = nullptr;
  void* packed = nullptr;
};

/// What a plan has besides on a device.
struct DevicePart {
  DevicePart(Device& device, Parameters& parameters, const PlanOptions& options);

  /// Sends what the host has changed, and renews the bf16 copy.
  void refresh_parameters(const Parameters& host);
  /// The pictures of a host's batch in memory of the plan's own, taken at the first call.
  const DeviceImages& upload(Device& device, const ImageBatch& batch, std::size_t picture_bytes);

  DeviceParameters parameters;
  std::uint64_t uploaded_version = 0;  // of the host's parameters
  DeviceBuffer own_clock;
  const StepClock* clock = nullptr;  // own_clock, or where somebody else keeps it up to date
  DeviceBuffer pictures, indices, transforms;
  DeviceImages images;
  std::vector<float> logits;  // the host's
};

struct Plan::State {
  PlanOptions options;
  InputKind input_kind = InputKind::kImage;
  Parameters* parameters = nullptr;
  std::vector<PlanNode> nodes;
  std::vector<std::unique_ptr<Kernel>> kernels;  // null for a view
  std::vector<PlanValue> values;
  std::vector<BoundNode> bound;
  Device* device = nullptr;
  PlanMemory memory;
  DeviceBuffer arena, packed, gradients;
  std::uint64_t packed_version = 0;       // of the parameters that the packed copies were made from
  std::uint64_t prepared_version = 0;     // of the host's parameters that kernels have been prepared with
  std::unique_ptr<DevicePart> on_device;  // null on the CPU

  const PlanValue& input(const PlanNode& node, std::size_t i) const {
    return values[static_cast<std::size_t>(node.inputs[i] + 1)];
  }
  PlanValue& storage(int value) {
    return values[static_cast<std::size_t>(values[static_cast<std::size_t>(value)].storage)];
  }
  PlanValue& result() { return storage(static_cast<int>(nodes.size())); }

  /// What a forward pass reads: one of the two, or neither where the input is a tensor.
  struct Images {
    const ImageBatch* host = nullptr;
    const DeviceImages* device = nullptr;
  };
  void run_forward(const Images& images, const Step& step);  // all nodes
  void run_forward(std::size_t node, const Images& images, const Step& step);
  void run_backward(std::size_t node, const Step& step);
  /// Parameters where they are computed with, and what kernels make of them once.
  void prepare();
  /// Everything that a pass needs besides its nodes: prepare(), the clock.
  Step begin(const Step& step);
  Images images_of(const ImageBatch& images);
  std::uint64_t version() const;
  DeviceStep device_step() const;
  bool is_finite(const void* data, const TensorDesc& desc);
  std::string find_non_finite(const Images& images, const Step& step, const std::function<void()>& loss);
};

/// Fused, with nothing chosen and nothing placed.
std::unique_ptr<Plan::State> make_nodes(const Graph& graph, const PlanOptions& options);

/// Writes the tensor input into the plan's own memory, in the plan's precision.
void copy_input(Device& device, const float* src, const PlanValue& input);

}  // namespace cudacards
