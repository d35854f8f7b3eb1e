#pragma once
// What leaves this program: a network with its weights and what its user has to know.

#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/graph/parameters.h"

namespace cudacards {

/// `parameters` is made from `graph`; both outlive this.
struct ExportedModel {
  const Graph& graph;
  const Parameters& parameters;
  std::string arch;                  // "cnn"
  std::vector<std::string> classes;  // in the order of the logits
  std::string resize;                // how a picture comes to its size, in words
  std::string producer_version;      // of this program
};

}  // namespace cudacards
