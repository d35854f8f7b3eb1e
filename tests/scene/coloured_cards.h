#pragma once
// Cards that a test can name without a network: white, with a disc in one of three colours.

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "host/data/image.h"
#include "host/scene/find_cards.h"
#include "host/scene/quad.h"

namespace cudacards::testing_support {

constexpr double kCardWidth = 100, kCardHeight = 140;

/// Corners of a card about `centre`, turned clockwise, from the upper left.
Quad card_at(cv::Point2d centre, double degrees, double width = kCardWidth);

class Table {
 public:
  Table(int width, int height, const cv::Scalar& colour = {40, 90, 60});

  /// 0: red, 1: green, 2: blue. Lies upon those before it.
  void lay(const Quad& card, int colour);
  Image photo() const;
  cv::Mat& pixels() { return pixels_; }

 private:
  cv::Mat pixels_;  // RGB
};

/// "red", "green", "blue" with 0.9 where a disc is in the middle of a white card; else nothing is probable.
CardNamer disc_namer();

/// The largest distance between corners, counted from either end of the card.
double furthest_corner(const FoundCard& found, const Quad& expected);

}  // namespace cudacards::testing_support
