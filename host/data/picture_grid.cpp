#include "host/data/picture_grid.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "host/data/lettering.h"

namespace cudacards {
namespace {

constexpr int kGap = 6, kLetters = 11;
const cv::Scalar kGround(24, 26, 30), kInk(222, 224, 228);

}  // namespace

Image picture_grid(const std::vector<GridPicture>& pictures, int columns, int tile) {
  const int count = std::max(1, static_cast<int>(pictures.size()));
  const int wide = std::min(columns, count), high = (count + wide - 1) / wide;
  const int words = lettered_size("Ag", kLetters).height;
  Image sheet(high * (tile + words + kGap), wide * (tile + kGap));
  cv::Mat drawn(sheet.height, sheet.width, CV_8UC3, sheet.pixels.get());
  drawn.setTo(kGround);
  for (int i = 0; i < static_cast<int>(pictures.size()); ++i) {
    const GridPicture& picture = pictures[static_cast<std::size_t>(i)];
    const int x = i % wide * (tile + kGap), y = i / wide * (tile + words + kGap);
    const cv::Mat source(picture.image.height, picture.image.width, CV_8UC3, picture.image.pixels.get());
    const double factor = static_cast<double>(tile) / std::max(source.rows, source.cols);
    const cv::Size size(std::clamp(cvRound(source.cols * factor), 1, tile),
                        std::clamp(cvRound(source.rows * factor), 1, tile));
    cv::Mat place = drawn(cv::Rect({x + (tile - size.width) / 2, y}, size));
    cv::resize(source, place, size, 0, 0, factor < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
    cv::Mat line = drawn(cv::Rect(x, y + tile, tile, words));
    letter(line, picture.caption, {0, 0}, kLetters, kInk, kGround);
  }
  return sheet;
}

}  // namespace cudacards
