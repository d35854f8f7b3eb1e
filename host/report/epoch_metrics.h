#pragma once
// The figures of an epoch.

#include <cstdint>
#include <span>

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

/// By validation accuracy, then loss, the first of equal ones: the trainer's `best`. Null without epochs.
const EpochMetrics* best_epoch(std::span<const EpochMetrics> epochs);
double total_seconds(std::span<const EpochMetrics> epochs);

}  // namespace cudacards
