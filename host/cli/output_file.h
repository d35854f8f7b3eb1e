#pragma once
// Files that a command writes because an option names them.

#include <string>

#include "host/data/image.h"

namespace cudacards::cli {

/// Before any work: Error where nothing can be written at `path`. An empty path is asked for nothing.
void check_output(const std::string& path);
/// check_output, and UsageError where its ending is no picture's.
void check_picture_output(const std::string& path);

/// PNG or JPEG by its ending, replaced whole or not at all.
void write_picture(const std::string& path, const Image& picture);

}  // namespace cudacards::cli
