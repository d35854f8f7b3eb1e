#pragma once
// A graph made ready to run: fused, one implementation a node, every byte of memory placed once in one arena.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/graph/impl_rules.h"
#include "host/graph/parameters.h"
#include "host/ops/precision.h"
#include "host/ops/tuning_table.h"
#include "host/runtime/device.h"

namespace cudacards {

class DeviceParameters;  // host/ops/device_parameters.h

/// Throws UsageError where the device has no such precision.
void require_precision(Precision precision, DeviceKind device);

enum class Mode : std::uint8_t { kInfer, kTrain };

struct PlanOptions {
  int batch = 32;
  Target target;                          // what it will run on
  Precision precision = Precision::kF32;  // tf32 on devices alone: a UsageError elsewhere
  Mode mode = Mode::kTrain;
  ImplRules impl;
  std::shared_ptr<const TuningTable> tuning;  // null: no measurements, the lists' order decides
  bool fuse = true;
};

struct Refusal {
  std::string implementation, reason;
};

enum class ChoiceReason : std::uint8_t { kOrder, kMeasured, kAsked };

/// Why a node has its implementation.
struct Choice {
  ChoiceReason reason = ChoiceReason::kOrder;
  std::vector<CandidateResult> measured;  // empty where nothing is known
};

/// One step of the plan: an operation after fusion.
struct PlanNode {
  std::string name;         // of its first layer
  std::vector<int> layers;  // indices in the graph of all layers that it computes
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs;  // indices of plan nodes; -1: the graph's input
  Problem problem;
  bool runs_backward = false;    // something at or below this node is trainable
  std::string implementation;    // empty for a view
  std::vector<Refusal> refused;  // those that would have been taken before it
  Choice choice;
  bool rounds_to_tf32 = false;  // its kernel multiplies in tf32
  double flops = 0;             // forward, whole batch
  MemoryNeed memory;
};

/// One of a plan's tensors.
struct NamedBytes {
  std::string name;  // "conv2d: dst"
  std::size_t bytes = 0;
};

/// What a plan takes, in bytes.
struct PlanMemory {
  std::size_t arena = 0;            // activations and their gradients, workspaces, scratchpads
  std::size_t packed = 0;           // parameters in the implementations' own layouts
  std::size_t gradients = 0;        // of the parameters
  std::size_t copy = 0;             // of the parameters, in bf16; on a device
  std::vector<NamedBytes> largest;  // five of the arena's tensors, the largest first
  std::size_t total() const { return arena + packed + gradients + copy; }
};

class Plan {
 public:
  /// Chooses and places as make() does, and takes nothing.
  static PlanMemory measure(const Graph& graph, const PlanOptions& options);
  /// `parameters` must have been made from the same graph and outlive the plan, as must the device, which decides
  /// options.target. Throws Error where memory is short.
  static Plan make(const Graph& graph, Parameters& parameters, PlanOptions options, Device& device = cpu_device());
  /// Chooses and measures as make() does, for tables: it takes nothing, cannot run, and needs no device.
  static Plan look_at(const Graph& graph, const PlanOptions& options);
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  /// Runs all nodes; no allocation. `step.training` chooses dropout and batch statistics and needs Mode::kTrain.
  void forward(const ImageBatch& images, const Step& step);
  void forward(const float* src, const Step& step);
  /// Of a graph with a tensor input: writes it, (batch, ...) fp32 in host memory, for the next forward alone.
  void set_input(const float* src);
  /// From what set_input() was given.
  void forward(const Step& step);
  /// On a device, from pictures that are there already.
  void forward(const DeviceImages& images, const Step& step);
  /// From diff_logits() to gradients(). Every trainable gradient is overwritten. Stops where nothing below is
  /// trainable.
  void backward(const Step& step);

  // In the device's memory. On a device calls return before the work is done (host/runtime/device.h).
  const float* logits() const;  // (batch, classes)
  float* diff_logits();
  std::span<float> gradients();  // laid out as Parameters::values(); empty in Mode::kInfer
  /// The logits for the host to read, until the next forward.
  const float* read_logits();

  Device& device() const;
  /// Sends the parameters that the host has changed to the device, renews their copy and what kernels have made of
  /// them, as a forward would. Before work that was captured and is done again.
  void prepare();
  /// On a device: the parameters that it computes with, to be marked as written by who writes them. What the host
  /// changes in Parameters and touches is sent at the next forward.
  DeviceParameters& device_parameters();
  /// On a device: calls read seed and number from there from now on; the caller keeps them up to date. (Otherwise each
  /// forward sends those of its Step.)
  void use_clock(const StepClock* clock);

  const PlanOptions& options() const;
  const std::vector<PlanNode>& nodes() const;
  std::size_t arena_bytes() const;
  /// Everything that make() took: arena, gradients, packed weights.
  std::size_t planned_bytes() const;

  /// After a step with a NaN or infinity: where the first one was, in the order of execution: "conv2d_1/weights",
  /// "conv2d_1: dst", "logits: gradient", "dense: diff dense/weights"; empty when all is finite. Runs the step again
  /// node by node, because the arena reuses memory; `loss` has to fill diff_logits() from logits() as in the step
  /// itself.
  std::string find_non_finite(const ImageBatch& images, const Step& step, const std::function<void()>& loss);
  /// The same from what set_input() was given.
  std::string find_non_finite(const Step& step, const std::function<void()>& loss);

  /// forward(), showing every node's result while it is there, in the device's memory: the arena reuses it. A view
  /// shows nothing.
  void observe(const ImageBatch& images, const Step& step,
               const std::function<void(const PlanNode& node, const void* dst)>& show);

  struct State;  // plan_state.h; for the graph room alone

 private:
  explicit Plan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cudacards
