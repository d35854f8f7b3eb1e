#pragma once
// Four-sided outlines and what makes one a card's.

#include <array>
#include <opencv2/core.hpp>
#include <vector>

namespace cudacards {

/// Corners clockwise on the screen (x to the right, y downwards), the first side one of the two short ones.
using Quad = std::array<cv::Point2d, 4>;

/// Poker cards are 63 x 88 mm (1.40), bridge cards 57 x 89 mm (1.56).
constexpr double kPokerSides = 1.40, kBridgeSides = 1.56;

double area(const Quad& quad);
cv::Point2d centre(const Quad& quad);

/// The same corners in the order that Quad asks for.
Quad ordered(const Quad& corners);

/// Mean length of the two short sides, and of the two long ones.
struct Sides {
  double width = 0, height = 0;
};
Sides sides(const Quad& quad);

/// Whether a card can look like this from above a table: convex, corners of 60 to 120 degrees, opposite sides of about
/// one length, sides in the proportion of cards, a little more or less for the view's tilt.
bool is_card_shaped(const Quad& quad);

/// The area that both cover.
double shared_area(const Quad& a, const Quad& b);

/// Whether all corners lie within `share` of the card's size of each other's, however the corners are counted.
bool same_place(const Quad& a, const Quad& b, double share);

/// How far beyond its nearest side a point lies: negative inside.
double distance_outside(const Quad& quad, const cv::Point2d& point);

/// Keeps the first of those in the same place.
void remove_repeated(std::vector<Quad>& quads);
constexpr double kSamePlace = 0.04;

std::vector<cv::Point2f> as_polygon(const Quad& quad);

}  // namespace cudacards
