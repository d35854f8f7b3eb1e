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

/// What a run begins with, or goes on with.
struct RunStart {
  std::string run;  // its folder
  const RunConfig& config;
  const std::vector<std::string>& classes;
  std::int64_t train_pictures = 0, valid_pictures = 0, parameters = 0, steps_an_epoch = 0;
  std::int64_t epoch = 0;  // finished ones
  std::uint64_t step = 0;  // done
  bool is_resumed = false;
};

/// Whoever follows a run. All are called by the thread that trains; an empty one is not called.
struct RunListeners {
  std::function<void(const RunStart&)> on_start;
  std::function<void(const EpochMetrics&, bool is_best)> on_epoch;  // its files are written
  /// `file` has been replaced: the weights to classify with, of the epoch that has just ended; everything to resume with.
  std::function<void(const std::string&file, std::int64_t epoch, std::uint64_t step)> on_best, on_checkpoint;
};

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
  RunListeners listeners;
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
