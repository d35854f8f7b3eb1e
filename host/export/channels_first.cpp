#include "host/export/channels_first.h"

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

bool has_one_order(const Shape& picture) { return picture[1] * picture[2] == 1 || picture[3] == 1; }

}  // namespace

std::vector<float> channels_first(std::span<const float> values, const Shape& picture) {
  const auto pixels = static_cast<std::size_t>(picture[1] * picture[2]),
             channels = static_cast<std::size_t>(picture[3]);
  const std::size_t outer = values.size() / (pixels * channels);
  CUDACARDS_CHECK(outer * pixels * channels == values.size(), "whole pictures");
  std::vector<float> result(values.size());
  std::size_t from = 0;
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t c = 0; c < channels; ++c) result[(o * channels + c) * pixels + p] = values[from++];
    }
  }
  return result;
}

std::vector<std::optional<Shape>> flattened_pictures(const Graph& graph) {
  std::vector<std::optional<Shape>> pictures(graph.layers().size());
  for (std::size_t i = 1; i < pictures.size(); ++i) {
    const Layer& layer = graph.layers()[i];
    const auto first = static_cast<std::size_t>(layer.inputs.front());
    if (dynamic_cast<const Dense*>(layer.operation.get()) != nullptr) continue;
    const Shape& src = graph.layers()[first].shape;
    pictures[i] = pictures[first];
    if (dynamic_cast<const Flatten*>(layer.operation.get()) != nullptr && src.rank() == 4 && !has_one_order(src))
      pictures[i] = src;
    for (const int input : layer.inputs) {
      if (pictures[static_cast<std::size_t>(input)] != pictures[first]) {
        throw Error(
            fmt::format("{}: it joins a flattened picture with what is none, and other frameworks flatten in "
                        "another order: put a dense layer between",
                        layer.name));
      }
    }
  }
  if (graph.result() >= 0 && pictures[static_cast<std::size_t>(graph.result())]) {
    throw Error(fmt::format("{}: the scores are a flattened picture, and other frameworks flatten in another order",
                            graph.layers()[static_cast<std::size_t>(graph.result())].name));
  }
  return pictures;
}

}  // namespace cudacards
