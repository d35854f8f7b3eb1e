#pragma once
// A whole step of a model on a device, ready to be timed. Training: pictures in, forward, loss, backward, Adam, as the
// trainer does it. Inference: pictures in, forward, logits where they are.

#include <memory>
#include <string>
#include <vector>

#include "host/graph/plan.h"
#include "host/runtime/device_buffer.h"
#include "host/train/run_config.h"
#include "host/train/training_step.h"
#include "models/registry.h"

namespace cudacards::bench {

struct WholeStepOptions {
  std::string arch = "cnn";
  int batch = 32, image_size = 224, classes = 53;
  Precision precision = Precision::kF32;
  Mode mode = Mode::kTrain;
  ImplRules impl;
  bool tune = false;  // as measured on this machine; else the first of each list
  bool fuse = true;
  Replay replay = Replay::kGraph;  // on a device
  bool operator==(const WholeStepOptions&) const = default;
};

class WholeStep {
 public:
  static constexpr int kBatches = 3;  // taken in turn, so that no step finds its pictures in a cache

  /// Throws Error for a model that is not known, and where the device is short of memory.
  WholeStep(Device& device, const WholeStepOptions& options);
  ~WholeStep();

  /// `count` steps one behind the other: seconds of each. The host does not wait for a step before it begins the next.
  std::vector<double> time(int count);
  /// One step and its mean loss; in inference its first logit.
  double run_and_read();

  const Plan& plan() const { return plan_; }
  /// Products of a step; both gradients of a layer count as much as its forward pass each.
  double flops() const;

 private:
  void begin();  // one step
  void forward();

  Device& device_;
  const WholeStepOptions options_;
  const RunConfig config_;
  const Graph graph_;
  Parameters parameters_;
  Plan plan_;
  const Pictures pictures_;
  std::vector<Batch> batches_;
  std::uint64_t number_ = 0;
  // Training.
  Buffer moment1_, moment2_;
  std::unique_ptr<TrainingStep> step_;
  // Inference on a device: all pictures and the indices of all batches are there, and those of the next one.
  DeviceBuffer resident_, all_indices_, indices_;
  std::unique_ptr<CapturedWork> captured_;
};

}  // namespace cudacards::bench
