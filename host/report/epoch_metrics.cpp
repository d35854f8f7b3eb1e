#include "host/report/epoch_metrics.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace cudacards {

const EpochMetrics* best_epoch(std::span<const EpochMetrics> epochs) {
  const auto best = std::ranges::max_element(
      epochs, {}, [](const EpochMetrics& e) { return std::pair(e.val_accuracy, -e.val_loss); });
  return best == epochs.end() ? nullptr : &*best;
}

double total_seconds(std::span<const EpochMetrics> epochs) {
  return std::accumulate(epochs.begin(), epochs.end(), 0.0,
                         [](double sum, const EpochMetrics& epoch) { return sum + epoch.seconds; });
}

}  // namespace cudacards
