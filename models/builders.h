#pragma once
// The builders behind the registry, one file each.

#include "models/registry.h"

namespace cudacards {

Graph mlp(const ModelSpec& spec);
Graph cnn(const ModelSpec& spec);
Graph mobilenet_v2(const ModelSpec& spec);

}  // namespace cudacards
