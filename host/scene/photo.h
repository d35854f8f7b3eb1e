#pragma once
// A photo as cards are looked for in it: no larger than need be, and where its edges are.

#include <opencv2/core.hpp>

#include "host/data/image.h"

namespace cudacards {

struct Photo {
  cv::Mat full;              // H x W, RGB (CV_8UC3): refers to the picture's pixels
  double scale = 1;          // pixels of the ones below a pixel of `full`
  cv::Mat grey;              // CV_8U
  cv::Mat paper;             // CV_8U, the least of red, green and blue: high on paper, low on whatever has a colour
  cv::Mat slope_x, slope_y;  // CV_32F, grey levels a pixel, of that one of the two whose slope is the steeper

  int width() const { return grey.cols; }
  int height() const { return grey.rows; }
  double longer_side() const { return std::max(grey.cols, grey.rows); }
  double pixels() const { return static_cast<double>(grey.total()); }
};

/// `image` must outlive it.
Photo look_at(const Image& image);

}  // namespace cudacards
