#pragma once
// An operation of the graph: a description that knows shapes and parameters, and an ordered list of named
// implementations.
//
// A plan asks each implementation in turn `supports(problem)`; the first yes is `make`d into a Kernel that lives as
// long as the plan. The last entry of every list says yes to everything. Nothing above this folder knows what is inside
// a Kernel.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/ops/error_scale.h"
#include "host/ops/image_batch.h"
#include "host/ops/tensor.h"
#include "host/runtime/device_kind.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/step_clock.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"

namespace cudacards {

/// How a parameter starts. Glorot (Glorot and Bengio, AISTATS 2010): uniform in +-sqrt(6 / (fan_in + fan_out)).
enum class Initialiser : std::uint8_t { kZeros, kOnes, kGlorotUniform };

struct ParameterSpec {
  std::string name;  // "weights", "bias", "gamma", "beta", "mean", "variance"
  Shape shape;       // weights: (K,R,S,C/groups) or (out,in)
  Initialiser initialiser = Initialiser::kZeros;
  std::int64_t fan_in = 1, fan_out = 1;  // for the initialisers
  bool trainable = true;                 // running statistics are not
  bool decays = false;                   // weight decay applies to weights, not to biases or batch norm
  std::optional<float> neutral;          // with which an operation that divides computes on whole numbers exactly
};

/// One node of a plan as an implementation sees it: sizes, types, and what will be asked of it.
struct Problem {
  std::vector<TensorDesc> src;  // batch included
  TensorDesc dst;
  bool training = false;                // forward may be called with Step::training and backward will be called
  std::vector<bool> diff_src_wanted;    // one a src; all false where nothing below is trainable
  bool diff_parameters_wanted = false;  // false when the layer is frozen
  int node = 0;                         // the first layer's index in the graph: the lane of this node's random numbers
  int threads = 1;
  bool tf32 = false;  // fp32 factors may be rounded to tf32 before they are multiplied
  Target target;      // what it will run on: kind, architecture, table of kernels
};

/// Memory that the plan provides for a kernel, in bytes, where the kernel runs. Every region is 64-byte aligned.
struct MemoryNeed {
  std::size_t workspace = 0;   // written by forward, read by the backward of the same step (a pool's argmax)
  std::size_t scratchpad = 0;  // free for use inside one call; the plan shares one among all nodes
  std::size_t packed = 0;      // kept between steps: parameters in the implementation's own layout or precision
  bool backward_reads_src = true;
  bool backward_reads_dst = false;
};

/// What differs from step to step. On a device seed and number are read from DeviceStep::clock instead, so that one
/// captured graph serves all; the rest is the same for all replays of it.
struct Step {
  bool training = false;           // dropout drops, batch norm uses and updates batch statistics
  std::uint64_t seed = 0;          // of the run
  std::uint64_t number = 0;        // of the optimizer step: the counter of this step's random numbers
  bool parameters_changed = true;  // since this kernel's last forward: packed copies have to be made again
};

/// What calls on a device have besides the pointers, which are the device's then. Empty on the CPU.
struct DeviceStep {
  Stream stream = nullptr;
  const StepClock* clock = nullptr;  // in device memory
};

struct ForwardArgs {
  Step step;
  DeviceStep device;
  const ImageBatch* images = nullptr;           // for the operation that reads the graph's picture input, else null
  const DeviceImages* device_images = nullptr;  // the same on a device
  std::span<const void* const> src;             // as Problem::src
  void* dst = nullptr;
  std::span<float* const> parameters;  // fp32 master values, as Operation::parameters(); running statistics are written
  std::span<const Bf16* const> parameters_bf16;  // on a device, in bf16 plans: copies of the same, always up to date
  void* workspace = nullptr;
  void* scratchpad = nullptr;
  void* packed = nullptr;
};

struct BackwardArgs {
  Step step;
  DeviceStep device;
  std::span<const void* const> src;  // null where MemoryNeed::backward_reads_src is false
  const void* dst = nullptr;         // null where backward_reads_dst is false
  const void* diff_dst = nullptr;
  std::span<void* const> diff_src;  // null where the mode is kIgnore
  std::span<const GradMode> diff_src_mode;
  std::span<const float* const> parameters;
  std::span<const Bf16* const> parameters_bf16;
  std::span<float* const> diff_parameters;  // fp32; null for parameters that are not trainable
  GradMode diff_parameters_mode = GradMode::kOverwrite;
  void* workspace = nullptr;
  void* scratchpad = nullptr;
  void* packed = nullptr;
};

/// One node's implementation, ready to run. Not thread-safe: a plan runs one call at a time.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual MemoryNeed memory() const = 0;
  /// Called before a forward pass where the host has changed parameters since the last one, and never in a capture:
  /// what is made of parameters that no step changes belongs here. `args` has parameters, `packed` and the device's
  /// stream.
  virtual void prepare(const ForwardArgs&) {}
  virtual void forward(const ForwardArgs& args) = 0;
  virtual void backward(const BackwardArgs& args);  // default: a programming error
  /// What a comparison of backward with other kernels has to say of this one, "converts ..."; empty where nothing.
  virtual std::string backward_note() const { return ""; }
  /// Whether fp32 factors are rounded to tf32, or may be by the library that multiplies them.
  virtual bool rounds_to_tf32() const { return false; }
};

class Operation;

struct Implementation {
  std::string_view name;    // "onednn:pool-fused", "reference"
  std::string_view family;  // "hand", "vendor" or "reference": what --impl chooses by
  Verdict (*supports)(const Operation&, const Problem&);
  std::unique_ptr<Kernel> (*make)(const Operation&, const Problem&);
};

/// A description: immutable, without memory. Throws Error with a reason from infer_shape; the graph adds the layer's
/// name.
class Operation {
 public:
  virtual ~Operation() = default;
  /// Keras' class name, for tables: "Conv2D", "MaxPooling2D", "Dense".
  virtual std::string_view kind() const = 0;
  /// The stem of automatic layer names: "conv2d", "max_pooling2d", "dense".
  virtual std::string_view stem() const = 0;
  /// All that decides results and speed besides the shapes, in words: "32 of 3x3 step 1x1 same ...". Measurements are
  /// filed under it, so that an operation with error_scales() and options has to give it.
  virtual std::string options_text() const { return ""; }
  virtual Shape infer_shape(std::span<const Shape> src) const = 0;
  virtual std::vector<ParameterSpec> parameters(std::span<const Shape> src) const;
  /// Of one forward pass; multiply-adds count as two. Backward is counted by the plan (twice this where both gradients
  /// are taken).
  virtual double flops(std::span<const Shape> src) const;
  /// Null: nothing is known, and implementations are not measured against each other.
  virtual std::optional<ErrorScales> error_scales(std::span<const Shape> src) const;
  /// Ordered by preference; the last supports everything.
  virtual std::span<const Implementation> implementations(DeviceKind device) const = 0;
  /// True where dst has the bytes of src in another shape: the plan gives both the same memory and runs nothing.
  virtual bool is_view() const { return false; }

  /// This operation with the given one, its only consumer, absorbed; null where they don't fuse. `dst` is this
  /// operation's destination shape. Called repeatedly: conv2d takes ReLU, then the max pool.
  virtual std::unique_ptr<Operation> fuse(const Operation& consumer, const Shape& dst) const;
};

}  // namespace cudacards
