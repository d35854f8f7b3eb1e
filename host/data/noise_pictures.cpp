#include "host/data/noise_pictures.h"

#include "host/runtime/threads.h"
#include "kernels/base/philox.h"

namespace cudacards {

Pictures noise_pictures(std::int64_t count, int height, int width, int classes) {
  const auto bytes = static_cast<std::int64_t>(height) * width * 3;
  Pictures pictures;
  pictures.height_ = height;
  pictures.width_ = width;
  pictures.pixels_ = Buffer(static_cast<std::size_t>(count * bytes), "random pictures");
  auto* pixels = pictures.pixels_.as<std::uint8_t>().data();
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t picture = begin; picture < end; ++picture) {
      for (std::int64_t i = 0; i < bytes; ++i) {
        const Random4 words = random4(0, RandomPurpose::kMeasure, 1, static_cast<std::uint32_t>(picture),
                                      static_cast<std::uint32_t>(i / 16));  // 16 bytes of pixels each
        pixels[picture * bytes + i] = static_cast<std::uint8_t>(words.v[i / 4 % 4] >> (i % 4 * 8));
      }
    }
  });
  for (std::int64_t i = 0; i < count; ++i)
    pictures.samples_.push_back({.path = "noise", .label = static_cast<int>(i % classes)});
  pictures.digests_.resize(pictures.samples_.size());
  return pictures;
}

}  // namespace cudacards
