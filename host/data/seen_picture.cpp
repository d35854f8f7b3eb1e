#include "host/data/seen_picture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "host/data/picture.h"
#include "host/ops/augment_pixels.h"
#include "host/runtime/buffer.h"

namespace cudacards {

Image seen_picture(const std::string& path, int side, const AugmentOptions& augment, std::uint64_t seed,
                   std::uint64_t index) {
  Image picture(side, side);
  read_picture(path, side, side, picture.pixels.get());
  if (!augment.enabled()) return picture;
  const ImageTransform transform = draw_transform(augment, seed, 0, index, side, side);
  std::vector<float> values(picture.bytes());
  Buffer scratch(augment_scratch_bytes(side, side), "a picture to be augmented");
  augment_picture(picture.pixels.get(), side, side, transform, {}, scratch.as<std::byte>().data(), values.data());
  std::ranges::transform(values, picture.pixels.get(), [](float value) {
    return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
  });
  return picture;
}

}  // namespace cudacards
