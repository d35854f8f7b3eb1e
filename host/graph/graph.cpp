#include "host/graph/graph.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

bool is_rescale(const Operation& operation) { return dynamic_cast<const Rescale*>(&operation) != nullptr; }

}  // namespace

Node Graph::add_input(const Shape& shape, InputKind kind) {
  if (!layers_.empty()) throw Error("a graph has one input, and it comes first");
  for (int i = 1; i < shape.rank(); ++i) {
    if (shape[i] < 1) throw Error(fmt::format("input: every size must be at least 1, got {}", shape.to_string()));
  }
  layers_.push_back({.name = "input", .operation = nullptr, .inputs = {}, .shape = shape, .parameters = {}});
  input_kind_ = kind;
  return {0};
}

Node Graph::image(int height, int width) { return add_input({1, height, width, 3}, InputKind::kImage); }

Node Graph::input(const Shape& shape_without_batch) {
  std::vector<std::int64_t> sizes = {1};
  sizes.insert(sizes.end(), shape_without_batch.sizes().begin(), shape_without_batch.sizes().end());
  return add_input(Shape(std::move(sizes)), InputKind::kTensor);
}

Node Graph::rescale(Node src, float scale, float offset) {
  return apply(std::make_shared<Rescale>(scale, offset), {src});
}

Node Graph::conv2d(Node src, const Conv2dOptions& options) { return apply(std::make_shared<Conv2d>(options), {src}); }

Node Graph::depthwise_conv2d(Node src, Conv2dOptions options) {
  const Shape& shape = layer(src).shape;
  if (shape.rank() != 4)
    throw Error(fmt::format("depthwise_conv2d: needs a (N,H,W,C) source, got {}", shape.to_string()));
  options.filters = options.groups = static_cast<int>(shape[3]);
  return conv2d(src, options);
}

Node Graph::max_pool(Node src, const Pool2dOptions& options) {
  return apply(std::make_shared<MaxPool2d>(options), {src});
}

Node Graph::global_average_pool(Node src) { return apply(std::make_shared<GlobalAveragePool2d>(), {src}); }

Node Graph::flatten(Node src) { return apply(std::make_shared<Flatten>(), {src}); }

Node Graph::dense(Node src, int units, Activation activation) {
  return apply(std::make_shared<Dense>(units, activation), {src});
}

Node Graph::activation(Node src, Activation activation) {
  return apply(std::make_shared<ActivationLayer>(activation), {src});
}

Node Graph::softmax(Node src) { return apply(std::make_shared<Softmax>(), {src}); }

Node Graph::dropout(Node src, float rate) { return apply(std::make_shared<Dropout>(rate), {src}); }

Node Graph::batch_norm(Node src, float momentum, float epsilon) {
  return apply(std::make_shared<BatchNorm>(momentum, epsilon), {src});
}

Node Graph::add(Node a, Node b) { return apply(std::make_shared<Add>(), {a, b}); }

Node Graph::apply(const std::shared_ptr<const Operation>& operation, const std::vector<Node>& inputs) {
  Layer layer{.name = unique_name(std::string(operation->stem())),
              .operation = operation,
              .inputs = {},
              .shape = {},
              .parameters = {}};
  std::vector<Shape> src;
  for (const Node node : inputs) {
    src.push_back(this->layer(node).shape);
    layer.inputs.push_back(node.id);
    if (input_kind_ == InputKind::kImage && node.id == 0 && !is_rescale(*operation)) {
      throw Error(fmt::format("{}: the input is a uint8 picture; pass it through rescale first", layer.name));
    }
    if (is_rescale(*operation) && (input_kind_ != InputKind::kImage || node.id != 0)) {
      throw Error(fmt::format("{}: rescale reads the graph's picture input and nothing else", layer.name));
    }
  }
  try {
    layer.shape = operation->infer_shape(src);
    layer.parameters = operation->parameters(src);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", layer.name, error.what()), error.exit_code());
  }
  layers_.push_back(std::move(layer));
  return {static_cast<int>(layers_.size()) - 1};
}

std::string Graph::unique_name(const std::string& stem) const {
  const auto taken = [this](const std::string& name) {
    return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) { return layer.name == name; });
  };
  std::string name = stem;
  for (int i = 1; taken(name); ++i) name = fmt::format("{}_{}", stem, i);
  return name;
}

Graph& Graph::named(std::string name) {
  CUDACARDS_CHECK(!layers_.empty(), "name a layer after it is added");
  if (name != layers_.back().name && unique_name(name) != name)
    throw Error(fmt::format("two layers are named \"{}\"", name));
  layers_.back().name = std::move(name);
  return *this;
}

Graph& Graph::logits(Node result) & {
  const Layer& last = layer(result);
  if (last.shape.rank() != 2) {
    throw Error(fmt::format("{}: logits must be (N, classes), got {}", last.name, last.shape.to_string()));
  }
  result_ = result.id;
  return *this;
}

Graph&& Graph::logits(Node result) && { return std::move(static_cast<Graph&>(*this).logits(result)); }

namespace {

/// Returns how many of those that were changed have parameters.
template <class Change>
int change_layers(std::vector<Layer>& layers, const std::string& prefix, Change change) {
  int matched = 0;
  for (auto& layer : layers) {
    if (!layer.name.starts_with(prefix)) continue;
    change(layer);
    if (!layer.parameters.empty()) ++matched;
  }
  return matched;
}

}  // namespace

int Graph::set_trainable(const std::string& prefix, bool trainable) {
  return change_layers(layers_, prefix, [=](Layer& layer) { layer.trainable = trainable; });
}

int Graph::set_rate_scale(const std::string& prefix, float rate_scale) {
  return change_layers(layers_, prefix, [=](Layer& layer) { layer.rate_scale = rate_scale; });
}

int Graph::input() const {
  const auto last = std::find_if(layers_.rbegin(), layers_.rend(), [](const Layer& layer) { return !layer.operation; });
  return static_cast<int>(layers_.rend() - last) - 1;
}

Graph Graph::above(Node input) const {
  Graph graph = *this;
  Layer& layer = graph.layers_.at(static_cast<std::size_t>(input.id));
  layer.operation = nullptr;
  layer.inputs.clear();
  graph.input_kind_ = InputKind::kTensor;
  return graph;
}

const Layer& Graph::layer(Node node) const {
  if (node.id < 0 || node.id >= static_cast<int>(layers_.size())) {
    throw Error("a node of another graph, or one that was never made, was passed to this graph");
  }
  return layers_[static_cast<std::size_t>(node.id)];
}

Shape Graph::input_shape() const {
  CUDACARDS_CHECK(!layers_.empty());
  return layers_[static_cast<std::size_t>(input())].shape;
}

int Graph::classes() const {
  CUDACARDS_CHECK(result_ >= 0, "the graph has no logits() yet");
  return static_cast<int>(layer({result_}).shape[1]);
}

namespace {

std::int64_t count(const std::vector<Layer>& layers, bool only_trainable) {
  std::int64_t sum = 0;
  for (const auto& layer : layers) {
    for (const auto& spec : layer.parameters) {
      if (!only_trainable || (layer.trainable && spec.trainable)) sum += spec.shape.elements();
    }
  }
  return sum;
}

}  // namespace

std::int64_t Graph::parameter_count() const { return count(layers_, false); }
std::int64_t Graph::trainable_count() const { return count(layers_, true); }

}  // namespace cudacards
