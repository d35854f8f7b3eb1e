#pragma once
// A run from configuration to checkpoints: folder in, trained model out.

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/train/metrics.h"
#include "host/train/run_config.h"

namespace cudacards {

struct TrainOptions {
  RunConfig config;
  std::string resume;  // run folder; empty: a new run
  bool quiet = false;
  int gpu = 0;  // which, where config.device is a GPU
  /// Set to its number by a signal handler: finish the step, save, return. While pictures are drawn or
  /// decoded: an Error with exit code 128 + the number, and no new run.
  const std::atomic<int>* stop_requested = nullptr;
  std::optional<std::size_t> memory;                // bytes that the run may take; default: what the device has free
  std::function<void(std::uint64_t step)> on_step;  // called after each optimizer step with how many there have been
};

struct TrainResult {
  std::string run;  // the run's folder
  std::vector<EpochMetrics> epochs;
  DeviceKind device = DeviceKind::kCpu;
  bool stopped = false;  // by stop_requested; resume with `cudacards train --resume RUN`
};

/// Throws Error; whatever was saved before stays whole. A resumed run continues byte for byte where it stood.
TrainResult train(const TrainOptions& options);

}  // namespace cudacards
