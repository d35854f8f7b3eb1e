#include "host/data/lettering.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

constexpr int kFace = cv::FONT_HERSHEY_SIMPLEX;

int margin_of(int height) { return std::max(2, height / 3); }
/// Strokes of a tenth of the height, as in print.
int stroke_of(int height) { return std::max(1, (height + 4) / 9); }

double scale_of(int height) { return cv::getFontScaleFromHeight(kFace, height, stroke_of(height)); }

/// UTF-8 as one character a code point, those beyond ASCII and control characters as "?".
std::string ascii(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;
    result += byte >= 0x20 && byte < 0x7F ? c : '?';
  }
  return result;
}

}  // namespace

cv::Size lettered_size(const std::string& text, int height) {
  int below = 0;
  const cv::Size size = cv::getTextSize(ascii(text), kFace, scale_of(height), stroke_of(height), &below);
  return {size.width + 2 * margin_of(height), size.height + below + margin_of(height)};
}

void letter(cv::Mat& image, const std::string& text, cv::Point place, int height, const cv::Scalar& ink,
            const cv::Scalar& ground) {
  const cv::Size box = lettered_size(text, height);
  const int x = std::clamp(place.x, 0, std::max(0, image.cols - box.width)),
            y = std::clamp(place.y, 0, std::max(0, image.rows - box.height));
  cv::rectangle(image, cv::Rect({x, y}, box), ground, cv::FILLED);
  const int base = y + margin_of(height) / 2 + height + stroke_of(height) / 2;
  cv::putText(image, ascii(text), {x + margin_of(height), base}, kFace, scale_of(height), ink, stroke_of(height),
              cv::LINE_AA);
}

}  // namespace cudacards
