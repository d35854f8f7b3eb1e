#include "models/fine_tuning.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr const char* kBlocksPrefix = "blocks:";

/// "block_03/" of "block_03/expand_bn"; of "classifier" and "pool" the name itself.
std::string place_of(const std::string& layer) {
  const std::size_t slash = layer.find('/');
  return slash == std::string::npos ? layer : layer.substr(0, slash + 1);
}

/// Places with parameters from the input to the result; the last is the head.
std::vector<std::string> places_of(const Graph& graph) {
  std::vector<std::string> places;
  for (const Layer& layer : graph.layers()) {
    if (layer.parameters.empty()) continue;
    const std::string place = place_of(layer.name);
    if (places.empty() || places.back() != place) places.push_back(place);
  }
  return places;
}

void freeze_blocks(int blocks, const std::vector<std::string>& places, Graph& graph) {
  int have = 0;
  for (const std::string& place : places) have += place.starts_with("block_") ? 1 : 0;
  if (blocks > have)
    throw UsageError(fmt::format("--freeze {}{}: the model has {} blocks; --freeze backbone freezes all below the head",
                                 kBlocksPrefix, blocks, have));
  for (int i = 0; i <= blocks; ++i) graph.set_trainable(places[static_cast<std::size_t>(i)], false);  // 0: the stem
}

}  // namespace

Freeze Freeze::from_text(const std::string& text, const std::string& what) {
  if (text == "none") return {};
  if (text == "backbone") return {.part = Part::kBackbone};
  const std::string prefix = kBlocksPrefix;
  if (text.starts_with(prefix)) {
    Freeze freeze{.part = Part::kBlocks};
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + prefix.size(), end, freeze.blocks);
    if (result.ec == std::errc{} && result.ptr == end && freeze.blocks >= 0) return freeze;
  }
  throw UsageError(fmt::format("{}: there is no \"{}\"{}; known: none, backbone, blocks:K (the stem and the first K)",
                               what, text, did_you_mean(text, {"none", "backbone", "blocks:8"})));
}

std::string Freeze::to_string() const {
  switch (part) {
    case Part::kNone:
      return "none";
    case Part::kBackbone:
      return "backbone";
    case Part::kBlocks:
      return fmt::format("{}{}", kBlocksPrefix, blocks);
  }
  return "?";
}

void apply(const FineTuning& fine_tuning, Graph& graph) {
  const std::vector<std::string> places = places_of(graph);
  if (fine_tuning.freeze.part == Freeze::Part::kBlocks) freeze_blocks(fine_tuning.freeze.blocks, places, graph);
  float rate_scale = 1;
  for (std::size_t i = places.size() - 1; i-- > 0;) {
    rate_scale *= fine_tuning.layer_decay;
    graph.set_rate_scale(places[i], rate_scale);
    if (fine_tuning.freeze.part == Freeze::Part::kBackbone) graph.set_trainable(places[i], false);
  }
  if (fine_tuning.batch_norms == BatchNorms::kBatch) return;
  std::vector<std::string> norms;
  for (const Layer& layer : graph.layers()) {
    if (dynamic_cast<const BatchNorm*>(layer.operation.get())) norms.push_back(layer.name);
  }
  for (const std::string& name : norms) graph.set_trainable(name, false);
}

}  // namespace cudacards
