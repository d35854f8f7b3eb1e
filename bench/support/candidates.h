#pragma once
// Everything that a benchmark of operations may time: each node of each model's plan, once for each implementation that
// takes it.

#include <string>
#include <vector>

#include "bench/support/node_work.h"
#include "host/graph/plan.h"
#include "models/registry.h"

namespace cudacards::bench {

/// One way to do a node's work.
struct Candidate {
  std::string name;         // of the implementation; of a chain of operations "cudnn + hand:max-pool"
  std::string family;       // "hand", "vendor" or "reference"; of a chain the first link's
  std::vector<Link> chain;  // one link, unless the candidate does one by one what the node fuses
  bool is_reference() const { return family == "reference"; }
};

/// A node of a model's plan and all candidates for it.
struct NodeCandidates {
  std::string model, layer;
  int batch = 1;
  Precision precision = Precision::kF32;
  Mode mode = Mode::kTrain;
  bool runs_backward = false;
  double forward_flops = 0, backward_flops = 0;
  std::vector<Candidate> candidates;
  int occurrences = 1;  // how many nodes of the model do the same work; the first gave its name
};

struct CandidateOptions {
  std::string model;
  int batch = 32, image_size = 224;
  Precision precision = Precision::kF32;
  Mode mode = Mode::kTrain;
};

/// In the order of execution. Nodes of one model that do the same work are listed once.
std::vector<NodeCandidates> candidates_of(const CandidateOptions& options, const Target& target);

}  // namespace cudacards::bench
