#pragma once
// The pictures of a run, decoded once.

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

/// Scans and decodes what the configuration names. Where it names nothing, the generated deck is drawn on first use.
TrainingData load_training_data(const RunConfig& config, Progress& progress);

}  // namespace cudacards
