#include "models/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"
#include "models/builders.h"

namespace cudacards {
namespace {

void require_no_choice(const ModelEntry& entry, const ModelSpec& spec) {
  if (spec.width_multiplier != ModelSpec{}.width_multiplier)
    throw UsageError(fmt::format("{} has one width: leave out the width {}", entry.name, spec.width_multiplier));
  if (spec.head != ModelSpec{}.head)
    throw UsageError(fmt::format("{} has one head, linear: leave the other out", entry.name));
  if (spec.input_range == InputRange::kUnscaled)
    throw UsageError(
        fmt::format("{} has no input range unscaled: that is a mistake of mobilenetv2's notebook heads", entry.name));
  const FineTuning usual, &asked = spec.fine_tuning;
  if (asked.freeze != usual.freeze)
    throw UsageError(fmt::format("{} has no pre-trained features to freeze: leave out --freeze {}", entry.name,
                                 asked.freeze.to_string()));
  if (asked.batch_norms != usual.batch_norms)
    throw UsageError(fmt::format("{} has no batch norms: leave out --bn", entry.name));
  if (asked.layer_decay != usual.layer_decay)
    throw UsageError(fmt::format("{} has one learning rate: leave out the layer decay", entry.name));
}

}  // namespace

const std::vector<ModelEntry>& models() {
  static const std::vector<ModelEntry> entries = {
      {"cnn", "three convolutions with max pools, one hidden dense layer (12.9 M parameters)", cnn},
      {"mlp", "two hidden dense layers on the raw pixels (38.6 M parameters)", mlp},
      {"mobilenetv2", "inverted residuals, made for pre-trained weights (0.5 to 6 M parameters, by width)",
       mobilenet_v2, true},
  };
  return entries;
}

Graph build_model(const std::string& arch, const ModelSpec& spec) {
  std::vector<std::string> names;
  for (const auto& entry : models()) {
    if (arch == entry.name) {
      if (!entry.has_widths_and_heads) require_no_choice(entry, spec);
      Graph graph = entry.build(spec);
      if (entry.has_widths_and_heads) apply(spec.fine_tuning, graph);
      return graph;
    }
    names.emplace_back(entry.name);
  }
  throw UsageError(
      fmt::format("no model named \"{}\"{}; known: {}", arch, did_you_mean(arch, names), fmt::join(names, ", ")));
}

}  // namespace cudacards
