#include "host/graph/frozen_part.h"

#include <algorithm>
#include <vector>

#include "host/graph/fusion.h"

namespace cudacards {
namespace {

bool is_fixed(const Layer& layer) {
  if (dynamic_cast<const Dropout*>(layer.operation.get())) return false;
  return !layer.trainable || layer.parameters.empty();
}

/// For each layer the lowest one that it or a layer above it reads.
std::vector<int> lowest_read_from(const std::vector<Layer>& layers, const std::vector<bool>& needed) {
  std::vector<int> lowest(layers.size() + 1, static_cast<int>(layers.size()));
  for (std::size_t i = layers.size(); i-- > 0;) {
    lowest[i] = lowest[i + 1];
    if (!needed[i]) continue;
    for (const int input : layers[i].inputs) lowest[i] = std::min(lowest[i], input);
  }
  return lowest;
}

}  // namespace

std::optional<Node> end_of_frozen_part(const Graph& graph) {
  const std::vector<Layer>& layers = graph.layers();
  const std::vector<bool> needed = layers_that_lead_to_the_result(graph);
  const std::vector<int> lowest = lowest_read_from(layers, needed);
  std::optional<Node> end;
  bool has_parameters = false;
  for (int i = 0; i < graph.result(); ++i) {
    const Layer& layer = layers[static_cast<std::size_t>(i)];
    if (!needed[static_cast<std::size_t>(i)]) continue;
    if (!is_fixed(layer)) break;
    has_parameters = has_parameters || !layer.parameters.empty();
    const bool is_passed_around = lowest[static_cast<std::size_t>(i) + 1] < i;
    if (has_parameters && !is_passed_around && layer.shape.rank() == 2) end = Node{i};
  }
  return end;
}

}  // namespace cudacards
