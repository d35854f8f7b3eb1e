#pragma once
// Models by name. A model is a builder: a description of layers, no arithmetic.

#include <string>
#include <vector>

#include "host/graph/graph.h"

namespace cudacards {

struct ModelSpec {
  int height = 224, width = 224;
  int classes = 53;
  float dropout = 0.5f;  // rate of every dropout layer
};

struct ModelEntry {
  const char* name;         // what --arch takes
  const char* description;  // one line for --help
  Graph (*build)(const ModelSpec&);
};

const std::vector<ModelEntry>& models();
/// Throws UsageError that lists the names and guesses what was meant.
Graph build_model(const std::string& arch, const ModelSpec& spec);

}  // namespace cudacards
