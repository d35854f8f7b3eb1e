#pragma once
// Where a new run starts from: weights of a file instead of random ones.

#include <map>
#include <string>
#include <vector>

#include "host/graph/parameters.h"
#include "host/train/run_config.h"

namespace cudacards {

/// config.width, or where it is 0 that of config.weights; 1 without.
float effective_width(const RunConfig& config);

struct InitialWeights {
  std::map<std::string, std::vector<float>> values;  // by the parameter's name
  std::vector<std::string> fresh;                    // parameters that the file has nothing for: they start random
  std::string file;

  void apply(Parameters& parameters) const;
  /// "260 tensors from F; head/weights and head/bias start fresh".
  std::string described() const;
};

/// Reads config.weights for `graph`, whose result stands for `classes`. Layers below the head must all be there, in the
/// model's shapes. The head (layers named "head...", and the layer that makes the scores) is taken where the file's
/// classes are these, in this order, and starts fresh else. Throws Error for weights of another model, and lists
/// what differs.
InitialWeights read_initial_weights(const RunConfig& config, const Graph& graph,
                                    const std::vector<std::string>& classes);

}  // namespace cudacards
