#pragma once
// The layers of the registered models as problems to test: what the tables of operations and of kernels are derived
// from.

#include <memory>
#include <string>
#include <vector>

#include "host/graph/graph.h"

namespace cudacards::testing {

struct ModelLayer {
  std::string name;  // "conv2d_1", and "conv2d_1+max_pooling2d_1" with what it has absorbed
  std::shared_ptr<const Operation> operation;
  std::vector<Shape> src;
};

/// Every layer that computes something, as it is and then with the layers behind it absorbed one after the other as
/// long as they fuse.
std::vector<ModelLayer> layers_of(const Graph& graph, std::int64_t batch);

}  // namespace cudacards::testing
