#include "host/data/deck/exposure.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cudacards {

void expose(FloatPicture& picture, DeckRandom& random) {
  const int size = picture.size();
  const bool flat = random.chance(0.35);  // a drawing or a scan has even light
  const double strength = flat ? 0.04 : 0.28;
  const double slope_x = random.uniform(-strength, strength), slope_y = random.uniform(-strength, strength);
  const double level = flat ? random.uniform(0.93, 1.03) : random.uniform(0.62, 1.12);
  const double warmth = flat ? random.uniform(-0.02, 0.02) : random.uniform(-0.12, 0.12),
               tint = random.uniform(-0.04, 0.04);
  const double gains[] = {1 + warmth, 1 + tint, 1 - warmth};
  const double contrast = random.uniform(0.8, 1.15), lift = random.uniform(-10, 14);
  const double saturation = random.chance(0.04) ? 0 : random.uniform(0.65, 1.2);

  const bool shaded = !flat && random.chance(0.25);
  const double edge = random.uniform(0, 2 * std::numbers::pi), edge_at = random.uniform(-0.3, 0.3);
  const double edge_soft = random.uniform(0.02, 0.2), shade = random.uniform(0.3, 0.75);
  const bool glossy = !flat && random.chance(0.2);
  const Point gloss{random.uniform(0, 1), random.uniform(0, 1)};
  const double gloss_radius = random.uniform(0.15, 0.5), gloss_light = random.uniform(20, 110);

  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double u = (x + 0.5) / size - 0.5, v = (y + 0.5) / size - 0.5;
      double light = level * (1 + slope_x * 2 * u + slope_y * 2 * v);
      if (shaded) {
        const double across = (u * std::cos(edge) + v * std::sin(edge) - edge_at) / edge_soft;
        light *= 1 - (1 - shade) * std::clamp(0.5 + across, 0.0, 1.0);
      }
      double added = lift;
      if (glossy) {
        const double distance = std::hypot(u + 0.5 - gloss.x, v + 0.5 - gloss.y) / gloss_radius;
        if (distance < 1) added += gloss_light * (1 - distance * distance) * (1 - distance * distance);
      }
      float* pixel = picture.at(x, y);
      const double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
      for (int k = 0; k < 3; ++k) {
        const double colour = grey + (pixel[k] - grey) * saturation;
        pixel[k] = static_cast<float>((colour * light * gains[k] - 128) * contrast + 128 + added);
      }
    }
  }
}

cv::Mat develop(FloatPicture& picture) {
  const int size = picture.size();
  cv::Mat image(size, size, CV_8UC3);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      for (int k = 0; k < 3; ++k) {
        image.at<cv::Vec3b>(y, x)[k] = to_byte(picture.at(x, y)[k]);
      }
    }
  }
  return image;
}

void add_noise(cv::Mat& image, double amplitude, DeckRandom& noise) {
  if (amplitude < 0.5) return;
  for (int y = 0; y < image.rows; ++y) {
    std::uint8_t* row = image.ptr(y);
    for (int i = 0; i < image.cols * 3; ++i) {
      // The sum of two uniform numbers is near enough to a bell.
      const std::uint32_t word = noise.word();
      const double bell = static_cast<double>((word & 0xffff) + (word >> 16)) / 65535 - 1;
      row[i] = to_byte(row[i] + bell * amplitude);
    }
  }
}

}  // namespace cudacards
