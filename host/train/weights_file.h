#pragma once
// What a file of our own says about its weights: a checkpoint of a run, or imported weights without classes.

#include <map>
#include <string>
#include <vector>

#include "models/registry.h"
#include "weights/safetensors.h"

namespace cudacards {

struct WeightsInfo {
  std::string arch;
  float width = 1.0f;
  Head head = Head::kLinear;
  int image_size = 224;              // that they were made for; they work at others
  std::vector<std::string> classes;  // of the result, in order; empty: features only

  /// The model that the file describes; of features only: with a head for the usual number of classes.
  ModelSpec spec() const;
};

/// Throws Error for a file that is neither, and says how to import it.
WeightsInfo read_weights_info(const SafetensorsFile& file);

/// Of a file without classes. (One with them is a checkpoint.)
std::map<std::string, std::string> weights_metadata(const WeightsInfo& info);

}  // namespace cudacards
