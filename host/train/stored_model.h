#pragma once
// What a checkpoint holds, without anything to run it.

#include <memory>
#include <string>

#include "host/graph/graph.h"
#include "host/graph/parameters.h"
#include "host/train/checkpoint.h"

namespace cudacards {

/// Movable; the parameters refer to nothing.
struct StoredModel {
  /// Throws Error where the file is damaged, or is not of the network that it describes.
  static StoredModel load(const std::string& path);

  Checkpoint checkpoint;
  std::unique_ptr<Graph> graph;
  std::unique_ptr<Parameters> parameters;
};

}  // namespace cudacards
