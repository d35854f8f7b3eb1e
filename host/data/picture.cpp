#include "host/data/picture.h"

#include "host/data/image_decode.h"
#include "host/data/resize.h"

namespace cudacards {

void decode_picture(ByteSpan file, int height, int width, std::uint8_t* dst) {
  resize(decode_image(file), height, width, dst);
}

void read_picture(const std::string& path, int height, int width, std::uint8_t* dst) {
  decode_picture(read_file(path), height, width, dst);
}

}  // namespace cudacards
