#include "tests/scene/coloured_cards.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace cudacards::testing_support {
namespace {

constexpr int kSide = 40;  // pixels of a cut-out card
constexpr int kFine = 4;   // bits of the drawn coordinates behind the point

bool is_white(const std::uint8_t* p) { return std::min({p[0], p[1], p[2]}) > 200; }

void rate(const std::uint8_t* picture, float* row) {
  const auto at = [&](double x, double y) {
    return picture + (static_cast<int>(y * kSide) * kSide + static_cast<int>(x * kSide)) * 3;
  };
  std::fill(row, row + 3, 0.03F);
  for (const double x : {0.12, 0.88})
    for (const double y : {0.12, 0.5, 0.88})
      if (!is_white(at(x, y))) return;
  const std::uint8_t* middle = at(0.5, 0.5);
  const auto strongest = std::max_element(middle, middle + 3);
  if (*strongest > 150 && !is_white(middle)) row[strongest - middle] = 0.9F;
}

}  // namespace

Quad card_at(cv::Point2d centre, double degrees, double width) {
  const double angle = degrees * std::numbers::pi / 180, height = width * kCardHeight / kCardWidth;
  const cv::Point2d x(std::cos(angle), std::sin(angle)), y(-x.y, x.x);
  const cv::Point2d across = x * (width / 2), down = y * (height / 2);
  return {centre - across - down, centre + across - down, centre + across + down, centre - across + down};
}

Table::Table(int width, int height, const cv::Scalar& colour) : pixels_(height, width, CV_8UC3, colour) {}

void Table::lay(const Quad& card, int colour) {
  std::vector<cv::Point> corners;
  for (const cv::Point2d& p : card) corners.emplace_back(cvRound(p.x * (1 << kFine)), cvRound(p.y * (1 << kFine)));
  cv::fillConvexPoly(pixels_, corners, cv::Scalar(245, 245, 240), cv::LINE_AA, kFine);
  cv::polylines(pixels_, corners, true, cv::Scalar(120, 120, 120), 1, cv::LINE_AA, kFine);
  cv::Scalar ink(30, 30, 30);
  ink[colour] = 220;
  cv::circle(pixels_, cv::Point(centre(card)), static_cast<int>(sides(card).width * 0.3), ink, cv::FILLED, cv::LINE_AA);
}

Image Table::photo() const {
  Image image(pixels_.rows, pixels_.cols);
  std::memcpy(image.pixels.get(), pixels_.data, image.bytes());
  return image;
}

CardNamer disc_namer() {
  return {{"red", "green", "blue"}, kSide, kSide, [](std::span<const std::uint8_t* const> cards) {
            std::vector<float> rows(cards.size() * 3);
            for (std::size_t i = 0; i < cards.size(); ++i) rate(cards[i], &rows[i * 3]);
            return rows;
          }};
}

double furthest_corner(const FoundCard& found, const Quad& expected) {
  double best = 1e9;
  for (const std::size_t turn : {0U, 2U}) {
    double most = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const cv::Point2d corner(found.quad[(i + turn) % 4].x, found.quad[(i + turn) % 4].y);
      most = std::max(most, cv::norm(corner - expected[i]));
    }
    best = std::min(best, most);
  }
  return best;
}

}  // namespace cudacards::testing_support
