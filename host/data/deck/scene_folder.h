#pragma once
// A folder of scenes with known answers (scene.h).

#include <cstdint>
#include <string>

#include "host/runtime/threads.h"

namespace cudacards {

struct SceneOptions {
  int scenes = 0;
  std::uint64_t seed = 1;
  int size = 1024;  // pixels of the longer side; the shorter has three quarters of it
};

/// Writes <folder>/0001.jpg, ... and labels.csv (docs/formats.md). The folder appears whole or not at all, as in
/// make_deck. Throws Error.
void make_scenes(const std::string& folder, const SceneOptions& options, const WorkProgress& progress = {});

}  // namespace cudacards
