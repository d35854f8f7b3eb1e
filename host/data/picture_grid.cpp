#include "host/data/picture_grid.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "host/data/lettering.h"

namespace cudacards {
namespace {

constexpr int kGap = 6, kLetters = 11;
const cv::Scalar kGround(24, 26, 30), kInk(222, 224, 228);

cv::Mat as_mat(const Image& image) { return {image.height, image.width, CV_8UC3, image.pixels.get()}; }

}  // namespace

Image fitted(const Image& picture, int side) {
  const double factor = static_cast<double>(side) / std::max(picture.height, picture.width);
  Image result(std::clamp(cvRound(picture.height * factor), 1, side),
               std::clamp(cvRound(picture.width * factor), 1, side));
  cv::Mat place = as_mat(result);
  cv::resize(as_mat(picture), place, place.size(), 0, 0, factor < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return result;
}

Image picture_grid(const std::vector<GridPicture>& pictures, int least_columns, int tile) {
  const int count = std::max(1, static_cast<int>(pictures.size()));
  const int columns = std::max(least_columns, static_cast<int>(std::ceil(std::sqrt(count))));
  const int wide = std::min(columns, count), high = (count + wide - 1) / wide;
  const int words = lettered_size("Ag", kLetters).height;
  Image sheet(high * (tile + words + kGap), wide * (tile + kGap));
  cv::Mat drawn = as_mat(sheet);
  drawn.setTo(kGround);
  for (int i = 0; i < static_cast<int>(pictures.size()); ++i) {
    const GridPicture& picture = pictures[static_cast<std::size_t>(i)];
    const int x = i % wide * (tile + kGap), y = i / wide * (tile + words + kGap);
    const Image tiled = fitted(picture.image, tile);
    as_mat(tiled).copyTo(drawn(cv::Rect(x + (tile - tiled.width) / 2, y, tiled.width, tiled.height)));
    cv::Mat line = drawn(cv::Rect(x, y + tile, tile, words));
    letter(line, picture.caption, {0, 0}, kLetters, kInk, kGround);
  }
  return sheet;
}

}  // namespace cudacards
