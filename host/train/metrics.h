#pragma once
// How the figures of the epochs are kept: metrics.jsonl (a line an epoch) and results.csv.

#include <string>
#include <vector>

#include "host/report/epoch_metrics.h"

namespace cudacards {

/// {"epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "rate", "images_per_second", "seconds"}.
std::string to_json_line(const EpochMetrics& metrics);
/// Reads a metrics.jsonl; a torn last line (the machine died while writing it) is left out.
std::vector<EpochMetrics> read_metrics(const std::string& path);
/// Writes both files anew from the list, so that they always agree with the checkpoint.
void write_metrics(const std::string& run, const std::vector<EpochMetrics>& epochs);

}  // namespace cudacards
