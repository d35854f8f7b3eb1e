#pragma once
// One step of training as its textbook has it: forward, loss, backward, optimizer, metrics. On the CPU each is done
// when the call returns; on a device (device_step.cpp) all of them are one captured graph, and the host looks at what
// came of it when it asks.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "host/data/loader.h"
#include "host/graph/plan.h"
#include "host/train/checkpoint.h"
#include "host/train/features.h"

namespace cudacards {

/// A run's values in host memory, which checkpoints are made of. On a device the step has its own and these are a
/// mirror: load() and store() carry them over.
struct TrainedValues {
  Parameters& parameters;
  std::span<float> moment1, moment2, average;  // the last two empty where a run has none

  MovingAverage average_kept() const { return average.empty() ? MovingAverage::kNone : MovingAverage::kKept; }
};

/// What came of the steps so far.
struct StepReport {
  RunningMetrics sums;                    // seconds are the caller's
  std::optional<std::uint64_t> diverged;  // the step whose gradients were not finite; from it on nothing was updated
};

class TrainingStep {
 public:
  virtual ~TrainingStep() = default;

  /// Step `number` of the run with learning rate `rate`.
  virtual void run(const Batch& batch, std::uint64_t number, float rate) = 0;
  /// Waits for a device. Sums are counted on from what set_metrics() was given.
  virtual StepReport report() = 0;
  virtual void set_metrics(const RunningMetrics& sums) = 0;
  /// False where report() would hold up work that has been asked for a moment ago.
  virtual bool reports_at_once() const = 0;

  /// From the host's values, to the host's values.
  virtual void load() = 0;
  virtual void store() = 0;
  /// Exchanges the parameters that move (running statistics too) with their average; nothing where none is kept.
  virtual void swap_average() = 0;

  /// Where the first NaN or infinity of the step was (Plan::find_non_finite).
  virtual std::string find_non_finite(const Batch& batch, std::uint64_t number) = 0;
};

/// On the CPU. What it is given must outlive it. With features the plan begins behind them (Graph::above); null: with
/// the pictures.
std::unique_ptr<TrainingStep> make_host_step(Plan& plan, const RunConfig& config, const TrainedValues& values,
                                             const Features* features = nullptr);

enum class DataPlace : bool {
  kResident,  // all pictures in device memory
  kStreamed,  // a batch at a time
};
/// Of each split. What does not fit is sent batch by batch, the pictures for validation first: they are wanted once an
/// epoch.
struct DataPlaces {
  DataPlace train = DataPlace::kResident, valid = DataPlace::kResident;
};
/// How a device is asked for the second step and all behind it.
enum class Replay : bool {
  kGraph,       // as one captured graph
  kCallByCall,  // as the first: to compare, and to look at single kernels
};
/// On the plan's device.
std::unique_ptr<TrainingStep> make_device_step(Plan& plan, const RunConfig& config, const TrainedValues& values,
                                               const Pictures& pictures, DataPlace place,
                                               Replay replay = Replay::kGraph, const Features* features = nullptr);

}  // namespace cudacards
