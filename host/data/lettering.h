#pragma once
// Words on pictures: legible on any ground, in OpenCV's stroke letters (ASCII; other letters become question marks).

#include <opencv2/core.hpp>
#include <string>

namespace cudacards {

/// `text` in `ink` on a filled `ground`, its box's upper left corner at `place`, moved where it would leave the picture
/// (RGB, CV_8UC3). `height`: of a capital letter, in pixels.
void letter(cv::Mat& image, const std::string& text, cv::Point place, int height, const cv::Scalar& ink,
            const cv::Scalar& ground);

/// The size of the box that `letter` fills.
cv::Size lettered_size(const std::string& text, int height);

}  // namespace cudacards
