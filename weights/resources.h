#pragma once
// Data files of this folder as they were when the program was built.

#include <string_view>

namespace cudacards::resources {

std::string_view mobilenet_v2_names();  // names/mobilenet_v2.toml
std::string_view manifest();            // MANIFEST

}  // namespace cudacards::resources
