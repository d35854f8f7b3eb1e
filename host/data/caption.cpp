#include "host/data/caption.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "host/data/lettering.h"

namespace cudacards {
namespace {

constexpr int kLeastWidth = 320;     // "queen of diamonds 100.0 %" in letters that can be read
constexpr int kMostEnlarged = 4096;  // pixels of either side: a picture of one column stays narrow
constexpr int kLeastLetters = 11, kLettersOfWidth = 30;
const cv::Scalar kBand(24, 26, 30);

cv::Scalar ink_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return {222, 224, 228};
    case Tone::kRight:
      return {120, 220, 130};
    case Tone::kWrong:
      return {255, 120, 110};
  }
  return {};
}

/// Letters of a width's thirtieth, smaller where the longest line would not fit.
int letter_height(const std::vector<CaptionLine>& lines, int width) {
  int height = std::max(kLeastLetters, width / kLettersOfWidth);
  const auto fits = [&](const CaptionLine& line) { return lettered_size(line.text, height).width <= width; };
  while (height > kLeastLetters && !std::all_of(lines.begin(), lines.end(), fits)) --height;
  return height;
}

}  // namespace

Image with_caption(const Image& image, const std::vector<CaptionLine>& lines) {
  const int wanted = (kLeastWidth + image.width - 1) / image.width;
  const int factor = std::max(1, std::min(wanted, kMostEnlarged / std::max(image.height, image.width)));
  const int width = std::max(kLeastWidth, image.width * factor), height = image.height * factor;
  const int letters = letter_height(lines, width);
  const int line_height = lettered_size("Ag", letters).height + letters / 3;
  const int band = line_height * static_cast<int>(lines.size()) + letters / 3;

  Image result(height + band, width);
  cv::Mat drawn(result.height, result.width, CV_8UC3, result.pixels.get());
  drawn.setTo(kBand);
  const cv::Mat source(image.height, image.width, CV_8UC3, image.pixels.get());
  cv::Mat above = drawn(cv::Rect(0, 0, image.width * factor, height));
  cv::resize(source, above, above.size(), 0, 0, cv::INTER_CUBIC);
  int y = height + letters / 3;
  for (const CaptionLine& line : lines) {
    letter(drawn, line.text, {0, y}, letters, ink_of(line.tone), kBand);
    y += line_height;
  }
  return result;
}

}  // namespace cudacards
