#pragma once
// Recipes: what decides everything that a person does not.

#include <string>
#include <vector>

#include "host/train/run_config.h"

namespace cudacards {

struct Preset {
  const char* name;
  const char* description;  // for --help
  const char* arch;         // null: for all
  bool needs_weights;       // it starts from pre-trained ones
  void (*apply)(RunConfig& config);
  std::vector<std::string> notes;  // lines that its runs begin with
};

const std::vector<Preset>& presets();
/// Throws UsageError for another name, with a guess.
const Preset& preset_named(const std::string& name);

/// Overwrites the fields that the preset decides for config.arch and config.device. Throws UsageError for an unknown
/// name, and for a preset of another arch.
void apply_preset(RunConfig& config, const std::string& name);

}  // namespace cudacards
