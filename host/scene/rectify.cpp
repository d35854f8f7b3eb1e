#include "host/scene/rectify.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace cudacards {
namespace {

/// The photo around a card, in no more than two pixels for each that is wanted, and how to get there.
struct Surroundings {
  cv::Mat pixels;
  cv::Point2d origin;
  double scale = 1;
};

Surroundings surroundings(const cv::Mat& full, const std::vector<cv::Point2f>& corners, double wanted) {
  const cv::Rect picture({0, 0}, full.size());
  cv::Rect around = cv::boundingRect(corners);
  around = cv::Rect(around.x - 2, around.y - 2, around.width + 4, around.height + 4) & picture;
  if (around.empty()) around = picture;
  Surroundings result{full(around), around.tl(), 1};
  const double size = std::sqrt(std::abs(cv::contourArea(corners)));
  if (size <= 2 * wanted) return result;
  result.scale = wanted / size;
  cv::resize(result.pixels, result.pixels, {}, result.scale, result.scale, cv::INTER_AREA);
  return result;
}

/// The places of the rectified card that the photo doesn't show: 255 there.
cv::Mat hidden_places(const Photo& photo, const cv::Matx33d& to_card, std::span<const Quad> above, cv::Size size) {
  cv::Mat hidden(size, CV_8U, cv::Scalar(255));
  const auto fill = [&](const std::vector<cv::Point2f>& in_photo, int value) {
    std::vector<cv::Point2f> in_card;
    cv::perspectiveTransform(in_photo, in_card, to_card);
    std::vector<cv::Point> rounded;
    for (const cv::Point2f& p : in_card) {
      // Far outside of the card it doesn't matter where.
      const auto near = [](float v) { return std::clamp(v, -1e5F, 1e5F); };
      rounded.emplace_back(cvRound(near(p.x)), cvRound(near(p.y)));
    }
    cv::fillConvexPoly(hidden, rounded, value);
  };
  const auto width = static_cast<float>(photo.full.cols), height = static_cast<float>(photo.full.rows);
  fill({{0, 0}, {width, 0}, {width, height}, {0, height}}, 0);
  for (const Quad& card : above) {
    std::vector<cv::Point2f> corners;
    for (const cv::Point2d& p : card) corners.emplace_back(p / photo.scale);
    fill(corners, 255);
  }
  return hidden;
}

/// As light as the lightest fifth of what is seen: paper.
cv::Vec3b paper_of(const cv::Mat& card, const cv::Mat& hidden) {
  cv::Vec3b paper;
  for (int channel = 0; channel < 3; ++channel) {
    std::vector<std::uint8_t> values;
    for (int y = 0; y < card.rows; ++y)
      for (int x = 0; x < card.cols; ++x)
        if (hidden.at<std::uint8_t>(y, x) == 0) values.push_back(card.at<cv::Vec3b>(y, x)[channel]);
    if (values.empty()) return {255, 255, 255};
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 4 / 5);
    std::nth_element(values.begin(), place, values.end());
    paper[channel] = *place;
  }
  return paper;
}

void complete(cv::Mat& card, const cv::Mat& hidden) {
  if (cv::countNonZero(hidden) == 0) return;
  const cv::Vec3b paper = paper_of(card, hidden);
  cv::Mat turned, turned_hidden;
  cv::rotate(card, turned, cv::ROTATE_180);
  cv::rotate(hidden, turned_hidden, cv::ROTATE_180);
  for (int y = 0; y < card.rows; ++y) {
    for (int x = 0; x < card.cols; ++x) {
      if (hidden.at<std::uint8_t>(y, x) == 0) continue;
      card.at<cv::Vec3b>(y, x) = turned_hidden.at<std::uint8_t>(y, x) == 0 ? turned.at<cv::Vec3b>(y, x) : paper;
    }
  }
}

}  // namespace

void rectify(const Photo& photo, const Quad& quad, std::span<const Quad> above, bool upside_down, int height, int width,
             std::uint8_t* dst) {
  std::vector<cv::Point2f> corners;
  for (std::size_t i = 0; i < 4; ++i) corners.emplace_back(quad[(i + (upside_down ? 2 : 0)) % 4] / photo.scale);
  const auto far_x = static_cast<float>(width), far_y = static_cast<float>(height);
  const std::vector<cv::Point2f> upright{{0, 0}, {far_x, 0}, {far_x, far_y}, {0, far_y}};
  const cv::Matx33d to_card = cv::getPerspectiveTransform(corners, upright);

  const Surroundings near = surroundings(photo.full, corners, std::max(height, width));
  const cv::Matx33d to_photo(1 / near.scale, 0, near.origin.x, 0, 1 / near.scale, near.origin.y, 0, 0, 1);
  cv::Mat card(height, width, CV_8UC3, dst);
  cv::warpPerspective(near.pixels, card, to_card * to_photo, card.size(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  complete(card, hidden_places(photo, to_card, above, card.size()));
}

Visible visible_part(const Photo& photo, const Quad& quad, std::span<const Quad> above) {
  const cv::Rect2d picture(0, 0, photo.full.cols, photo.full.rows);
  const cv::Rect around = cv::boundingRect(as_polygon(quad)) & cv::Rect(0, 0, photo.width(), photo.height());
  if (around.empty()) return {};
  cv::Mat mask = cv::Mat::zeros(around.size(), CV_8U);
  const auto fill = [&](const Quad& card, int value) {
    std::vector<cv::Point> corners;
    for (const cv::Point2d& p : card) corners.emplace_back(cvRound(p.x) - around.x, cvRound(p.y) - around.y);
    cv::fillConvexPoly(mask, corners, value);
  };
  fill(quad, 1);
  const int whole = cv::countNonZero(mask);
  for (const Quad& card : above) fill(card, 0);
  const int seen = cv::countNonZero(mask);
  if (seen == 0) return {};
  Visible visible{std::min(1.0, seen / area(quad)), {}};
  if (seen == whole) {
    cv::Point2d low = quad[0], high = quad[0];
    for (const cv::Point2d& p : quad) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
    visible.box = cv::Rect2d(low / photo.scale, high / photo.scale) & picture;
  } else {
    const cv::Rect box = cv::boundingRect(mask) + around.tl();
    visible.box = cv::Rect2d(cv::Point2d(box.tl()) / photo.scale, cv::Point2d(box.br()) / photo.scale) & picture;
  }
  return visible;
}

}  // namespace cudacards
