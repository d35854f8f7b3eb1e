#pragma once
// One node of a plan by itself on a device, or a chain of operations that does a fused node's work one by one: with
// memory of its own, several times over, so that a call finds nothing of the last one's in a cache.

#include <memory>
#include <string>
#include <vector>

#include "host/ops/operation.h"
#include "host/ops/precision.h"
#include "host/runtime/device_buffer.h"

namespace cudacards::bench {

/// An operation and what runs it.
struct Link {
  std::shared_ptr<const Operation> operation;
  Problem problem;
  Implementation implementation;
};

/// What the tensors hold: small whole numbers, of which most sums are exact in any order, or numbers from -1 to 1.
enum class Fill : std::uint8_t { kIntegers, kUniform };

/// A result for the host to look at.
struct Tensor {
  std::string name;  // "dst", "diff src 0", "diff weights"
  TensorDesc desc;
  const void* data = nullptr;  // on the device
};

class NodeWork {
 public:
  /// The most that copies of the node's tensors may take together.
  struct Limits {
    std::size_t cache_bytes = 0;   // copies are made until twice as much is between two uses of one
    std::size_t memory_bytes = 0;  // but no more than this, unless one copy alone takes it
    int copies = 1;                // and no more than these
  };
  /// `precision` is the plan's. Throws Error where the device is short of memory.
  NodeWork(Device& device, std::vector<Link> chain, Precision precision, const Limits& limits);

  /// All copies get the same values. Results are forgotten.
  void fill(Fill values);
  int copies() const { return static_cast<int>(copies_.size()); }
  void forward(int copy);
  /// After a forward of that copy.
  void backward(int copy);
  /// What forward and, in training, backward have left in copy 0.
  std::vector<Tensor> results() const;

  /// What the kernels say of their backward passes (Kernel::backward_note); empty where nothing.
  std::string backward_notes() const;

  bool is_training() const { return chain_.front().problem.training; }
  /// The least that one pass has to move: each tensor that goes in or comes out once. What lies between two links of a
  /// chain is not counted, nor is what an implementation keeps for itself.
  double forward_bytes() const;
  double backward_bytes() const;

 private:
  struct LinkMemory {
    std::vector<const void*> src;
    std::vector<void*> diff_src;
    std::vector<float*> parameters, diff_parameters;
    std::vector<const float*> parameters_read;
    std::vector<const Bf16*> parameters_bf16;
    void *dst = nullptr, *diff_dst = nullptr, *workspace = nullptr, *packed = nullptr;
  };
  class Placement;

  void place(Placement& placement, std::vector<LinkMemory>& copy);
  void fill_tensor(void* data, const TensorDesc& desc, Fill values, std::uint32_t lane, bool positive);
  std::size_t parameter_bytes() const;
  DeviceStep device_step() const;

  Device& device_;
  const std::vector<Link> chain_;
  const bool has_bf16_copies_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<MemoryNeed> needs_;
  std::vector<std::vector<ParameterSpec>> specs_;
  std::vector<std::vector<GradMode>> diff_src_modes_;
  std::vector<std::vector<LinkMemory>> copies_;
  std::size_t scratchpad_bytes_ = 0;
  DeviceBuffer memory_, shared_;
  void* scratchpad_ = nullptr;
  StepClock* clock_ = nullptr;
  // Of a node that reads pictures: (N,H,W,3), those of copy 0 for all.
  std::vector<const std::uint8_t*> pictures_;
  ImageBatch images_;
  DeviceImages device_images_;
  bool filled_ = false;
};

}  // namespace cudacards::bench
