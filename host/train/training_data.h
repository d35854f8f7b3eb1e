#pragma once
// The pictures of a run, decoded once.

#include <atomic>
#include <string>
#include <vector>

#include "host/data/dataset.h"
#include "host/report/progress.h"
#include "host/train/run_config.h"

namespace cudacards {

struct TrainingData {
  std::vector<std::string> classes;
  Pictures train, valid;
};

/// Where the configuration's pictures are; where it names nothing, the generated deck's folder.
DatasetOptions dataset_options(const RunConfig& config);

// Both end with an Error of exit code 128 + *stop once that is not zero (null: never), and leave no half deck behind.

/// Lists what the configuration names. Where it names nothing, the generated deck is drawn on first use.
Dataset find_training_data(const RunConfig& config, Progress& progress, const std::atomic<int>* stop);
TrainingData decode_training_data(const Dataset& dataset, const RunConfig& config, Progress& progress,
                                  const std::atomic<int>* stop);

}  // namespace cudacards
