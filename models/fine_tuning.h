#pragma once
// What of a network with pre-trained features learns, and how fast.

#include <cstdint>
#include <string>

#include "host/graph/graph.h"

namespace cudacards {

/// The layers that keep their values. A frozen batch norm normalises by its running statistics in training too, and
/// keeps them as they are.
struct Freeze {
  enum class Part : std::uint8_t {
    kNone,
    kBackbone,  // all below the head
    kBlocks,    // the stem and the first `blocks` blocks
  };
  Part part = Part::kNone;
  int blocks = 0;

  /// "none", "backbone" or "blocks:K". Throws UsageError, in which `what` is the option or key.
  static Freeze from_text(const std::string& text, const std::string& what);
  std::string to_string() const;
  bool operator==(const Freeze&) const = default;
};

/// What the batch norms do that are not frozen with their layers.
enum class BatchNorms : std::uint8_t {
  kFrozen,  // as those of frozen layers: running statistics, and all four numbers stay
  kBatch,   // the batch's statistics; gamma and beta learn, running statistics follow
};

struct FineTuning {
  Freeze freeze;
  BatchNorms batch_norms = BatchNorms::kBatch;
  float momentum = 0.999f;   // of running statistics; Keras' of this network
  float layer_decay = 1.0f;  // a block's learning rate over that of the block above it; the head's is the run's
};

/// Freezes and slows down layers of a graph whose names are MobileNetV2's (docs/formats.md). What the graph has frozen
/// stays so. Throws UsageError for more blocks than there are.
void apply(const FineTuning& fine_tuning, Graph& graph);

}  // namespace cudacards
