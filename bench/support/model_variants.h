#pragma once
// A model at one of its widths, by one name: "mobilenetv2-0.35" is --arch mobilenetv2 --width 0.35.

#include <charconv>
#include <string>

#include "models/registry.h"

namespace cudacards::bench {

inline Graph graph_of(const std::string& model, ModelSpec spec) {
  const std::size_t dash = model.rfind('-');
  if (dash == std::string::npos) return build_model(model, spec);
  const char *begin = model.data() + dash + 1, *end = model.data() + model.size();
  if (std::from_chars(begin, end, spec.width_multiplier) != std::from_chars_result{end, std::errc{}})
    return build_model(model, spec);
  return build_model(model.substr(0, dash), spec);
}

}  // namespace cudacards::bench
