#pragma once
// A picture with words below it.

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

enum class Tone : std::uint8_t { kPlain, kRight, kWrong };

struct CaptionLine {
  std::string text;
  Tone tone = Tone::kPlain;
};

/// `image`, enlarged where it is too small for words, with a line of letters for each of `lines` on a dark band below.
Image with_caption(const Image& image, const std::vector<CaptionLine>& lines);

}  // namespace cudacards
