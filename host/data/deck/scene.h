#pragma once
// Scenes with known answers: photos of 1 to 9 cards of one deck on a table, for trying what finds cards. Every scene is
// a pure function of (seed, index), whatever the number of threads.

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "host/data/deck/laid_card.h"
#include "host/data/deck/scene_folder.h"

namespace cudacards {

struct SceneCard {
  std::string label;
  Corners corners;  // of the whole card, in pixels, from the printed upper left clockwise
  cv::Rect box;     // around what is visible of it
};

struct Scene {
  cv::Mat image;                 // RGB, CV_8UC3
  std::vector<SceneCard> cards;  // a later one lies upon an earlier one where they overlap
};

/// No card covers more of another than a person can do without: at most kMostCovered of its area, and none of it beyond
/// the picture.
constexpr double kMostCovered = 0.1;

Scene draw_scene(const SceneOptions& options, int index);

}  // namespace cudacards
