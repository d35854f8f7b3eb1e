#pragma once
// A picture as a model sees it, one value at a time, as the comments of ImageTransform say it. Scalar is float or
// double.

#include <algorithm>
#include <cmath>

#include "host/ops/image_batch.h"

namespace cudacards::reference {

/// src (H,W,3) at whole coordinates, edge pixels repeated, under the Gaussian where there is one.
template <class Scalar>
Scalar source_pixel(const std::uint8_t* src, int height, int width, const ImageTransform& transform, int y, int x,
                    int channel) {
  const auto at = [&](int row, int column) {
    const std::ptrdiff_t pixel =
        static_cast<std::ptrdiff_t>(std::clamp(row, 0, height - 1)) * width + std::clamp(column, 0, width - 1);
    return static_cast<Scalar>(src[3 * pixel + channel]);
  };
  if (!(transform.blur_sigma > 0)) return at(y, x);
  const auto sigma = static_cast<Scalar>(transform.blur_sigma);
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  Scalar sum = 0, weights = 0;
  for (int dy = -radius; dy <= radius; ++dy) {
    for (int dx = -radius; dx <= radius; ++dx) {
      const Scalar weight = std::exp(Scalar(-0.5) * static_cast<Scalar>(dy * dy + dx * dx) / (sigma * sigma));
      sum += weight * at(y + dy, x + dx);
      weights += weight;
    }
  }
  return sum / weights;
}

/// The value of destination pixel (y, x) before normalisation, 0..255.
template <class Scalar>
Scalar viewed_pixel(const std::uint8_t* src, int height, int width, const ImageTransform& transform, int y, int x,
                    int channel) {
  const auto& area = transform.erase;
  if (x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height) {
    return static_cast<Scalar>(transform.erase_colour[static_cast<std::size_t>(channel)]);
  }
  if (transform.is_identity)
    return static_cast<Scalar>(src[(static_cast<std::ptrdiff_t>(y) * width + x) * 3 + channel]);

  const auto& m = transform.source_from_destination;
  const auto row = [&](std::size_t i) {
    return Scalar(m[i]) * static_cast<Scalar>(x) + Scalar(m[i + 1]) * static_cast<Scalar>(y) + Scalar(m[i + 2]);
  };
  const auto clamped = [](Scalar value, int last) {
    return value > 0 ? std::min(value, static_cast<Scalar>(last)) : Scalar(0);
  };
  const Scalar source_x = clamped(row(0) / row(6), width - 1);
  const Scalar source_y = clamped(row(3) / row(6), height - 1);
  const int left = static_cast<int>(source_x), top = static_cast<int>(source_y);
  const Scalar fraction_x = source_x - static_cast<Scalar>(left), fraction_y = source_y - static_cast<Scalar>(top);
  const auto pixel = [&](int dy, int dx) {
    return source_pixel<Scalar>(src, height, width, transform, top + dy, left + dx, channel);
  };
  const Scalar upper = (1 - fraction_x) * pixel(0, 0) + fraction_x * pixel(0, 1);
  const Scalar lower = (1 - fraction_x) * pixel(1, 0) + fraction_x * pixel(1, 1);
  const Scalar value = (1 - fraction_y) * upper + fraction_y * lower;
  const Scalar lit =
      (value - Scalar(127.5)) * Scalar(transform.contrast) + Scalar(127.5) + Scalar(transform.brightness);
  return std::clamp(lit, Scalar(0), Scalar(255));
}

}  // namespace cudacards::reference
