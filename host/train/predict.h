#pragma once
// Names for pictures.

#include <string>
#include <vector>

#include "host/train/model.h"

namespace cudacards {

struct Guess {
  std::string label;
  double probability = 0;
};

struct Prediction {
  std::string path;
  std::vector<Guess> top;  // most probable first; empty when the file is no picture
  std::string error;       // why it could not be read, else empty
};

/// Decodes and classifies in batches. A file that cannot be read gets its reason in `error`; the rest is unaffected.
std::vector<Prediction> predict(Model& model, const std::vector<std::string>& paths, int top);

}  // namespace cudacards
