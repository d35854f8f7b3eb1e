#pragma once
// What light and a camera make of a drawn scene.

#include <opencv2/core.hpp>

#include "host/data/deck/background.h"
#include "host/data/deck/random.h"

namespace cudacards {

/// Light and the camera's colours: a gradient, sometimes the edge of a shadow or a highlight, gains a channel,
/// contrast, saturation.
void expose(FloatPicture& picture, DeckRandom& random);

/// To 8 bits: RGB (CV_8UC3).
cv::Mat develop(FloatPicture& picture);

/// The sensor's: up to `amplitude` levels either way.
void add_noise(cv::Mat& image, double amplitude, DeckRandom& noise);

}  // namespace cudacards
