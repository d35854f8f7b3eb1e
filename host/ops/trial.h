#pragma once
// One implementation of one problem by itself, on random inputs in memory of its own: what measuring runs.

#include <deque>
#include <memory>
#include <vector>

#include "host/ops/operation.h"
#include "host/runtime/device_buffer.h"

namespace cudacards {

/// Which numbers an operation gets. All are in [-1, 1] and can be stored in the problem's types; in tf32 they are tf32
/// numbers, as what bounds the errors counts sums alone.
enum class TrialData : std::uint8_t {
  kWhole,                    // -1, 0, 1: sums are exact
  kWholeWithRandomGradient,  // sources and parameters whole, so that masks and winners are the same everywhere
  kRandom                    // uniform
};

struct TrialInputs {
  std::vector<std::vector<float>> src, parameters;
  std::vector<float> diff_dst;
};
TrialInputs draw_inputs(const Operation& operation, const Problem& problem, TrialData data);

struct TrialOutputs {
  std::vector<float> dst;
  std::vector<std::vector<float>> diff_src, diff_parameters;  // empty vectors where none is wanted
};

class Trial {
 public:
  /// Takes the memory. Throws Error where there is too little of it, or where the implementation cannot be made.
  Trial(Device& device, const Operation& operation, const Problem& problem, const Implementation& implementation);

  void load(const TrialInputs& inputs);
  /// As a plan runs it: backward where a gradient is wanted. Return before the work is done, as a device's calls do.
  void forward();
  void backward();
  bool has_backward() const { return wants_gradients_; }
  TrialOutputs outputs();

 private:
  void send(DeviceBuffer& to, const std::vector<float>& values, DType type);
  std::vector<float> receive(const DeviceBuffer& from, DType type);

  Device& device_;
  const Problem problem_;
  const std::unique_ptr<Kernel> kernel_;
  const MemoryNeed need_;
  const bool wants_gradients_;
  DeviceBuffer clock_, dst_, diff_dst_, workspace_, scratchpad_, packed_;
  std::deque<DeviceBuffer> src_, parameters_, copies_, diff_src_, diff_parameters_;
  std::vector<const void*> src_pointers_, backward_src_;
  std::vector<void*> diff_src_pointers_;
  std::vector<GradMode> diff_src_modes_;
  std::vector<float*> parameter_pointers_, diff_parameter_pointers_;
  std::vector<const float*> parameters_read_;
  std::vector<const Bf16*> copy_pointers_;
};

}  // namespace cudacards
