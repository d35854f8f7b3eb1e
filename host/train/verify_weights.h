#pragma once
// Whether a weights file can be relied on.

#include <string>
#include <vector>

#include "weights/manifest.h"

namespace cudacards {

/// A file whose name is in the list must have its size and SHA-256. One of our own must have every tensor of its model,
/// any other (where the format is known) only finite values. Returns what was found, "..., 262 tensors of mobilenetv2";
/// throws Error with the first thing that is wrong.
std::string verify_weights(const std::string& path, const std::vector<ManifestEntry>& entries);

}  // namespace cudacards
