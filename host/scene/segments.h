#pragma once
// Straight edges in a photo: the sides of cards, and of much else.

#include <opencv2/core.hpp>
#include <vector>

#include "host/scene/photo.h"

namespace cudacards {

struct Segment {
  cv::Point2d from, to;

  double length() const { return cv::norm(to - from); }
  cv::Point2d direction() const { return (to - from) / length(); }
};

/// Pieces of one line are one segment, also where something thin lies across it. The longest first.
std::vector<Segment> straight_edges(const Photo& photo);

}  // namespace cudacards
