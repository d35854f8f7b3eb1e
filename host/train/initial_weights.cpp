#include "host/train/initial_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/runtime/error.h"
#include "host/train/weights_file.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

void require_same_model(const RunConfig& config, const WeightsInfo& info) {
  if (info.arch != config.arch) {
    throw UsageError(fmt::format("{} has weights of {}, the run trains {}: use --arch {}", config.weights, info.arch,
                                 config.arch, info.arch));
  }
  const float width = model_spec(config, kCardClasses).width_multiplier;
  if (info.width != width) {
    throw UsageError(fmt::format("{} has weights of width {}, the run's width is {}: use --width {}", config.weights,
                                 info.width, width, info.width));
  }
}

/// The layer whose weights have a row for each class: the last one with parameters.
int scoring_layer(const Graph& graph) {
  int last = 0;
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    if (!graph.layers()[i].parameters.empty()) last = static_cast<int>(i);
  }
  return last;
}

}  // namespace

float effective_width(const RunConfig& config) {
  const float width = model_spec(config, kCardClasses).width_multiplier;
  if (config.width > 0 || config.weights.empty()) return width;
  const WeightsInfo info = read_weights_info(SafetensorsFile::open(config.weights));
  return info.arch == config.arch ? info.width : width;  // others' weights are refused when they are read
}

void InitialWeights::apply(Parameters& parameters) const {
  for (const auto& [name, from] : values) std::ranges::copy(from, parameters.values(*parameters.find(name)).begin());
  parameters.touch();
}

std::string InitialWeights::described() const {
  std::string text = fmt::format("{} tensors from {}", values.size(), file);
  if (!fresh.empty())
    text += fmt::format("; {} {} fresh", fmt::join(fresh, ", "), fresh.size() == 1 ? "starts" : "start");
  return text;
}

InitialWeights read_initial_weights(const RunConfig& config, const Graph& graph,
                                    const std::vector<std::string>& classes) {
  const SafetensorsFile file = SafetensorsFile::open(config.weights);
  const WeightsInfo info = read_weights_info(file);
  require_same_model(config, info);
  InitialWeights weights{.values = {}, .fresh = {}, .file = config.weights};
  std::vector<std::string> missing;
  const int scoring = scoring_layer(graph);
  for (std::size_t i = 0; i < graph.layers().size(); ++i) {
    const Layer& layer = graph.layers()[i];
    const bool is_head = static_cast<int>(i) == scoring || layer.name.starts_with("head");
    for (const ParameterSpec& spec : layer.parameters) {
      const std::string name = layer.name + "/" + spec.name;
      if (is_head && (info.classes != classes || file.find(name) == nullptr)) {
        weights.fresh.push_back(name);
      } else if (file.find(name) == nullptr) {
        missing.push_back(name);
      } else {
        weights.values.emplace(name, file.read_floats(name, spec.shape.sizes()));
      }
    }
  }
  if (missing.empty()) return weights;
  const bool no_classifier =
      std::ranges::all_of(missing, [](const auto& name) { return name.starts_with("classifier/"); });
  throw Error(fmt::format("{} does not fit this model: missing {} {}{}", config.weights,
                          missing.size() == 1 ? "is" : "are", fmt::join(missing, ", "),
                          no_classifier ? " (it has features only; the head linear needs no more)" : ""));
}

}  // namespace cudacards
