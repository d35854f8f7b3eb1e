#include "host/export/state_dict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/export/channels_first.h"
#include "host/export/facts.h"
#include "host/runtime/error.h"
#include "weights/name_map.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

/// The table of names that the network has: it is MobileNetV2's where the first layer with parameters is.
const NameFamily* table_for(const ExportedModel& model) {
  for (const NameFamily& family : mobilenet_name_families()) {
    if (family.name == "torchvision" && !model.parameters.list().empty() &&
        !family.names_of(model.parameters.list().front().name).empty())
      return &family;
  }
  return nullptr;
}

std::string general_name(const std::string& layer, const ParameterSpec& spec) {
  static const std::map<std::string, std::string> words = {{"weights", "weight"},    {"bias", "bias"},
                                                           {"gamma", "weight"},      {"beta", "bias"},
                                                           {"mean", "running_mean"}, {"variance", "running_var"}};
  const auto word = words.find(spec.name);
  if (word == words.end())
    throw Error(fmt::format("{}/{}: PyTorch has no such parameter that it could be exported as", layer, spec.name));
  std::string name = layer + "." + word->second;
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

/// The values in PyTorch's order of axes, and their shape.
StateTensor reordered(const ExportedModel& model, const Parameter& p, const std::optional<Shape>& flattened) {
  const std::span<const float> values = model.parameters.values(p);
  const Shape& shape = p.spec.shape;
  if (shape.rank() == 4)  // (K,R,S,C)
    return {"", {shape[0], shape[3], shape[1], shape[2]}, channels_first(values, shape)};
  const Layer& layer = model.graph.layers()[static_cast<std::size_t>(p.layer)];
  const bool is_dense_bias = p.spec.name == "bias" && dynamic_cast<const Dense*>(layer.operation.get()) != nullptr;
  if (flattened && !is_dense_bias) return {"", shape.sizes(), channels_first(values, *flattened)};
  return {"", shape.sizes(), {values.begin(), values.end()}};
}

std::string epsilons(const Graph& graph) {
  std::set<std::string> values;
  for (const Layer& layer : graph.layers()) {
    if (const auto* norm = dynamic_cast<const BatchNorm*>(layer.operation.get()))
      values.insert(fmt::format("{}", norm->epsilon));
  }
  return fmt::format("{}", fmt::join(values, ", "));
}

}  // namespace

std::vector<StateTensor> state_dict(const ExportedModel& model) {
  const NameFamily* table = table_for(model);
  const auto pictures = flattened_pictures(model.graph);
  std::set<std::string> taken;
  std::vector<StateTensor> tensors;
  for (const Parameter& p : model.parameters.list()) {
    const Layer& layer = model.graph.layers()[static_cast<std::size_t>(p.layer)];
    StateTensor tensor = reordered(model, p, pictures[static_cast<std::size_t>(layer.inputs.front())]);
    tensor.name = general_name(layer.name, p.spec);
    // A second classifier (the notebook's heads) keeps its own name: torchvision's network has one.
    const auto names = table ? table->names_of(p.name) : std::vector<std::string>{};
    if (!names.empty() && !taken.contains(names.front())) tensor.name = names.front();
    if (!taken.insert(tensor.name).second)
      throw Error(fmt::format("{}: two parameters would be named {} in PyTorch", p.name, tensor.name));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void write_state_dict(const std::string& path, const ExportedModel& model, const std::vector<StateTensor>& tensors,
                      const FileCalls& calls) {
  auto metadata = facts_of(model);
  metadata["format"] = "pt";
  metadata["padding"] = "same";
  if (const std::string epsilon = epsilons(model.graph); !epsilon.empty()) metadata["batch_norm.epsilon"] = epsilon;
  std::vector<TensorView> views;
  for (const StateTensor& tensor : tensors) views.push_back(float_tensor(tensor.name, tensor.shape, tensor.values));
  write_safetensors(path, views, metadata, calls);
}

}  // namespace cudacards
