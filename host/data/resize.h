#pragma once
// Antialiased bilinear resize, bit-equal to Pillow's Image.resize((w, h), Image.BILINEAR), columns first (as Pillow up
// to 12 always does; later versions may take rows first, which moves a pixel by at most one level): when a picture
// shrinks, the triangle filter grows with the ratio, so that no source pixel is skipped. (OpenCV's INTER_LINEAR looks
// at four pixels whatever the ratio.)

#include <cstdint>

#include "host/data/image.h"

namespace cudacards {

/// Squashes `src` to height x width, sides not kept in proportion, as Keras does. `dst` holds height * width * 3 bytes.
void resize(const Image& src, int height, int width, std::uint8_t* dst);

}  // namespace cudacards
