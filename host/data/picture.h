#pragma once
// The one way from a file to what a model sees: decode, turn upright, squash to H x W x 3 uint8 RGB. Train, eval and
// predict all come through here; the Rescale operation does the rest.

#include <cstdint>
#include <string>

#include "host/data/files.h"

namespace cudacards {

/// `dst` holds height * width * 3 bytes. Throws Error with the reason alone: the caller knows the path.
void decode_picture(ByteSpan file, int height, int width, std::uint8_t* dst);
void read_picture(const std::string& path, int height, int width, std::uint8_t* dst);

}  // namespace cudacards
