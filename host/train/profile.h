#pragma once
// A few steady steps of a model, on random pictures, taken apart.

#include <string>

#include "host/report/profile.h"
#include "host/runtime/device_choice.h"
#include "host/train/checkpoint.h"
#include "host/train/run_config.h"

namespace cudacards {

struct ProfileOptions {
  RunConfig config;  // arch, sizes, precision, implementations, augmentation, optimizer
  int classes = 53;
  DeviceChoice device;
  Mode mode = Mode::kTrain;
  int steps = 10;
  std::shared_ptr<const TuningTable> choices;  // of a run that is profiled; null: as a new run chooses
};

/// As the run was trained, in the nearest precision that the device has, by the run's measurements.
ProfileOptions profile_options(const Checkpoint& run, const DeviceChoice& device);

/// Warm-up; then `steps` steps that nobody watches; then, between the profiler's start and stop, as many whose parts are
/// timed by events of the device (counted on the emulator).
Profile profile(const ProfileOptions& options);

}  // namespace cudacards
