#pragma once
// A checkpoint without a run: random weights, named classes.

#include <string>
#include <vector>

namespace cudacards::testing_support {

/// Pictures of side x side; mobilenetv2 at width 0.35.
void write_checkpoint(const std::string& path, const std::string& arch, int side,
                      const std::vector<std::string>& classes);

}  // namespace cudacards::testing_support
