#include "host/graph/fusion.h"

#include "host/ops/folded_conv2d.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

/// The convolution with the batch norm in it; null where they are not such a pair.
std::shared_ptr<const Operation> fold(const Operation& first, const Operation& second) {
  const auto* conv = dynamic_cast<const Conv2d*>(&first);
  const auto* norm = dynamic_cast<const BatchNorm*>(&second);
  if (!conv || !norm || conv->pool || conv->options.activation != Activation::kNone) return nullptr;
  return std::make_shared<FoldedConv2d>(*conv, *norm);
}

}  // namespace

std::vector<bool> layers_that_lead_to_the_result(const Graph& graph) {
  std::vector<bool> needed(graph.layers().size(), false);
  needed[static_cast<std::size_t>(graph.result())] = true;
  for (std::size_t i = graph.layers().size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (const int input : graph.layers()[i].inputs) needed[static_cast<std::size_t>(input)] = true;
  }
  return needed;
}

std::vector<FusedStep> fuse_layers(const Graph& graph, bool fuse, Folding folding) {
  CUDACARDS_CHECK(graph.result() >= 0, "the graph has no logits() yet");
  const auto& layers = graph.layers();
  const std::vector<bool> needed = layers_that_lead_to_the_result(graph);

  std::vector<std::vector<int>> consumers(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!needed[i]) continue;
    for (const int input : layers[i].inputs) consumers[static_cast<std::size_t>(input)].push_back(static_cast<int>(i));
  }

  std::vector<FusedStep> steps;
  std::vector<int> step_of_layer(layers.size(), -1);  // the input keeps -1
  std::vector<bool> absorbed(layers.size(), false);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!needed[i] || absorbed[i] || static_cast<int>(i) == graph.input()) continue;
    FusedStep step{{static_cast<int>(i)}, layers[i].operation, {}};
    for (std::size_t last = i; fuse && consumers[last].size() == 1;) {
      const auto next = static_cast<std::size_t>(consumers[last].front());
      std::shared_ptr<const Operation> fused = step.operation->fuse(*layers[next].operation, layers[last].shape);
      if (!fused && (folding == Folding::kAll || (!layers[last].trainable && !layers[next].trainable)))
        fused = fold(*step.operation, *layers[next].operation);
      if (!fused || layers[next].inputs.size() != 1) break;
      step.operation = std::move(fused);
      step.layers.push_back(static_cast<int>(next));
      absorbed[next] = true;
      last = next;
    }
    for (const int input : layers[i].inputs) step.inputs.push_back(step_of_layer[static_cast<std::size_t>(input)]);
    for (const int layer : step.layers) step_of_layer[static_cast<std::size_t>(layer)] = static_cast<int>(steps.size());
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace cudacards
