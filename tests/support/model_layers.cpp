#include "tests/support/model_layers.h"

#include "host/ops/ops.h"

namespace cudacards::testing {
namespace {

/// The one layer that reads layer i; 0 where there is none or several.
std::size_t only_consumer(const std::vector<Layer>& layers, std::size_t i) {
  std::size_t consumer = 0, count = 0;
  for (std::size_t j = i + 1; j < layers.size(); ++j) {
    for (const int input : layers[j].inputs) {
      if (static_cast<std::size_t>(input) == i) consumer = j, ++count;
    }
  }
  return count == 1 ? consumer : 0;
}

}  // namespace

std::vector<ModelLayer> layers_of(const Graph& graph, std::int64_t batch) {
  const auto& layers = graph.layers();
  std::vector<ModelLayer> all;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& op = layers[i].operation;
    if (!op || op->is_view() || dynamic_cast<const Rescale*>(op.get())) continue;
    ModelLayer layer = {.name = layers[i].name, .operation = op, .src = {}};
    for (const int input : layers[i].inputs)
      layer.src.push_back(layers[static_cast<std::size_t>(input)].shape.with_batch(batch));
    all.push_back(layer);
    for (std::size_t last = i; const std::size_t next = only_consumer(layers, last); last = next) {
      layer.operation = layer.operation->fuse(*layers[next].operation, layers[last].shape.with_batch(batch));
      if (!layer.operation) break;
      layer.name += "+" + layers[next].name;
      all.push_back(layer);
    }
  }
  return all;
}

}  // namespace cudacards::testing
