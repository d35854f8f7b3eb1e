#include "host/scene/photo.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

// Nine cards still have a hundred pixels a side, which show their edges; more pixels show the table's grain.
constexpr double kLongerSide = 1000;
constexpr double kBlur = 1.0;         // pixels: noise goes, a card's edge stays
constexpr double kScharrWeight = 32;  // of OpenCV's 3 x 3 filter for slopes

struct Slope {
  cv::Mat x, y;
};

Slope slope_of(const cv::Mat& channel) {
  cv::Mat smooth;
  channel.convertTo(smooth, CV_32F);
  cv::GaussianBlur(smooth, smooth, {}, kBlur);
  Slope slope;
  cv::Scharr(smooth, slope.x, CV_32F, 1, 0, 1 / kScharrWeight);
  cv::Scharr(smooth, slope.y, CV_32F, 0, 1, 1 / kScharrWeight);
  return slope;
}

cv::Mat least_of_channels(const cv::Mat& image) {
  cv::Mat channel[3], least;
  cv::split(image, channel);
  cv::min(channel[0], channel[1], least);
  cv::min(least, channel[2], least);
  return least;
}

}  // namespace

Photo look_at(const Image& image) {
  Photo photo;
  photo.full = cv::Mat(image.height, image.width, CV_8UC3, image.pixels.get());
  photo.scale = std::min(1.0, kLongerSide / std::max(image.height, image.width));
  cv::Mat small = photo.full;
  if (photo.scale < 1) {
    const cv::Size size(std::max(1, cvRound(image.width * photo.scale)),
                        std::max(1, cvRound(image.height * photo.scale)));
    cv::resize(photo.full, small, size, 0, 0, cv::INTER_AREA);
  }
  cv::cvtColor(small, photo.grey, cv::COLOR_RGB2GRAY);
  photo.paper = least_of_channels(small);
  const Slope of_grey = slope_of(photo.grey), of_paper = slope_of(photo.paper);
  const cv::Mat steeper =
      of_paper.x.mul(of_paper.x) + of_paper.y.mul(of_paper.y) > of_grey.x.mul(of_grey.x) + of_grey.y.mul(of_grey.y);
  photo.slope_x = of_grey.x;
  photo.slope_y = of_grey.y;
  of_paper.x.copyTo(photo.slope_x, steeper);
  of_paper.y.copyTo(photo.slope_y, steeper);
  return photo;
}

}  // namespace cudacards
