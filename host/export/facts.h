#pragma once
// What an exported file says about itself, besides its tensors.

#include <map>
#include <string>

#include "host/export/exported_model.h"

namespace cudacards {

/// arch, classes (a JSON array), image_height, image_width, preprocessing.resize, input.colour, and what is done to a
/// pixel of 0..255: (pixel - input.mean) / input.deviation. docs/export.md names them all.
std::map<std::string, std::string> facts_of(const ExportedModel& model);

}  // namespace cudacards
