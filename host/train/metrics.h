#pragma once
// Figures of an epoch, and how they are kept: metrics.jsonl (a line an epoch) and results.csv.

#include <cstdint>
#include <string>
#include <vector>

namespace cudacards {

struct EpochMetrics {
  std::int64_t epoch = 0;         // counted from 1
  std::uint64_t step = 0;         // optimizer steps so far
  double loss = 0, accuracy = 0;  // over the epoch's training steps, augmented, dropout on
  double val_loss = 0, val_accuracy = 0;
  double rate = 0;               // learning rate of the last step
  double images_per_second = 0;  // training steps only
  double seconds = 0;            // of the whole epoch, validation included
};

/// {"epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "rate", "images_per_second", "seconds"}.
std::string to_json_line(const EpochMetrics& metrics);
/// Reads a metrics.jsonl; a torn last line (the machine died while writing it) is left out.
std::vector<EpochMetrics> read_metrics(const std::string& path);
/// Writes both files anew from the list, so that they always agree with the checkpoint.
void write_metrics(const std::string& run, const std::vector<EpochMetrics>& epochs);

}  // namespace cudacards
