#pragma once
// JPEG by libjpeg-turbo's TurboJPEG API.

#include "host/data/files.h"
#include "host/data/image.h"

namespace cudacards {

/// See decode_image and image_size.
Image decode_jpeg(ByteSpan file);
ImageSize jpeg_size(ByteSpan file);

}  // namespace cudacards
