#include "models/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"
#include "models/builders.h"

namespace cudacards {

const std::vector<ModelEntry>& models() {
  static const std::vector<ModelEntry> entries = {
      {"cnn", "three convolutions with max pools, one hidden dense layer (12.9 M parameters)", cnn},
      {"mlp", "two hidden dense layers on the raw pixels (38.6 M parameters)", mlp},
  };
  return entries;
}

Graph build_model(const std::string& arch, const ModelSpec& spec) {
  std::vector<std::string> names;
  for (const auto& entry : models()) {
    if (arch == entry.name) return entry.build(spec);
    names.emplace_back(entry.name);
  }
  throw UsageError(
      fmt::format("no model named \"{}\"{}; known: {}", arch, did_you_mean(arch, names), fmt::join(names, ", ")));
}

}  // namespace cudacards
