#include "host/export/facts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace cudacards {

std::map<std::string, std::string> facts_of(const ExportedModel& model) {
  std::map<std::string, std::string> facts = {{"producer", "cudacards " + model.producer_version},
                                              {"arch", model.arch},
                                              {"classes", nlohmann::json(model.classes).dump()}};
  if (model.graph.input_kind() != InputKind::kImage) return facts;
  facts["image_height"] = fmt::format("{}", model.graph.input_shape()[1]);
  facts["image_width"] = fmt::format("{}", model.graph.input_shape()[2]);
  facts["preprocessing.resize"] = model.resize;
  facts["input.colour"] = "RGB";
  for (const Layer& layer : model.graph.layers()) {
    const auto* rescale = dynamic_cast<const Rescale*>(layer.operation.get());
    if (rescale == nullptr) continue;
    // Six digits: 1 / (1 / 127.5f) is 127.5 again.
    facts["input.mean"] = fmt::format("{:.6g}", 0.0 - static_cast<double>(rescale->offset) / rescale->scale);
    facts["input.deviation"] = fmt::format("{:.6g}", 1.0 / static_cast<double>(rescale->scale));
  }
  return facts;
}

}  // namespace cudacards
