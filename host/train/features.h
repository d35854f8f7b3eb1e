#pragma once
// What the frozen part of a network makes of a run's pictures: computed once, because every epoch would compute the
// same, and kept in the user's cache for the next run.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/data/loader.h"
#include "host/graph/plan.h"
#include "host/runtime/device.h"
#include "host/train/run_config.h"
#include "host/train/training_data.h"

namespace cudacards {

/// A row of `width` numbers for each picture of a split, in its order.
struct Features {
  std::int64_t width = 0;
  std::vector<float> values;  // (pictures, width)

  const float* row(std::int64_t picture) const { return values.data() + picture * width; }
};

struct SplitFeatures {
  Features train, valid;
};

/// The layer whose results a run of this configuration learns from (end_of_frozen_part). Nothing where augmentation
/// makes each picture another one in each epoch.
std::optional<Node> feature_layer(const RunConfig& config, const Graph& graph);

/// What identifies the features of `layer` to the last bit, as 64 hexadecimal digits: SHA-256 of the pictures' files,
/// their size and preprocessing, the layers and parameters up to `layer`, and what they are computed with.
std::string key_of_features(const RunConfig& config, const Graph& graph, Node layer, const Parameters& parameters,
                            const TrainingData& data, const Device& device);

/// Computes them on the device in the run's precision. `count` hears of pictures and may stop the work by an exception.
SplitFeatures compute_features(const RunConfig& config, const Graph& graph, Node layer, Parameters& parameters,
                               const TrainingData& data, Device& device, const WorkProgress& count);

/// Bytes that features of so many pictures take in the target's memory, with the plan that computes them.
std::size_t feature_memory(const RunConfig& config, const Graph& graph, Node layer, std::int64_t pictures,
                           const Target& target);

/// Hands the features of batches to a plan that begins behind them.
class FeatureFeed {
 public:
  explicit FeatureFeed(const Features& features) : features_(features) {}
  /// For the plan's next forward pass.
  void send(const Batch& batch, Plan& plan);

 private:
  const Features& features_;
  std::vector<float> rows_;  // (batch, width)
};

}  // namespace cudacards
