#include "host/data/deck/background.h"

#include <algorithm>
#include <cmath>

namespace cudacards {
namespace {

enum class Ground { kWhite, kPlain, kGradient, kFelt, kWood, kCloth, kClutter };

Colour any_colour(DeckRandom& random, double low, double high) {
  const double r = random.uniform(low, high), g = random.uniform(low, high);
  return {r, g, random.uniform(low, high)};
}

/// Calls colour_at(x, y) for every pixel.
template <class ColourAt>
void paint(FloatPicture& picture, ColourAt&& colour_at) {
  for (int y = 0; y < picture.size(); ++y) {
    for (int x = 0; x < picture.size(); ++x) {
      const Colour c = colour_at(x, y);
      float* pixel = picture.at(x, y);
      pixel[0] = static_cast<float>(c.r);
      pixel[1] = static_cast<float>(c.g);
      pixel[2] = static_cast<float>(c.b);
    }
  }
}

Colour scaled(const Colour& c, double factor) { return {c.r * factor, c.g * factor, c.b * factor}; }

void paint_felt(FloatPicture& picture, DeckRandom& random) {
  static constexpr Colour kFelts[] = {{24, 96, 52}, {16, 70, 60}, {120, 24, 30}, {28, 44, 96}, {70, 70, 74}};
  const Colour felt = random.pick(kFelts);
  const int size = picture.size();
  const auto fine = value_noise(size, 2, 2, random), coarse = value_noise(size, 60, 60, random);
  paint(picture, [&](int x, int y) {
    const auto i = static_cast<std::size_t>(y) * size + x;
    return scaled(felt, 0.7 + 0.25 * fine[i] + 0.4 * coarse[i]);
  });
}

void paint_wood(FloatPicture& picture, DeckRandom& random) {
  static constexpr Colour kWoods[] = {{172, 120, 70}, {120, 74, 40}, {206, 166, 116}, {84, 54, 36}, {150, 130, 110}};
  const Colour wood = random.pick(kWoods);
  const int size = picture.size();
  const bool upright = random.chance(0.4);
  const auto grain = value_noise(size, 90, 3, random), bend = value_noise(size, 110, 40, random);
  const double rings = random.uniform(6, 16), plank = random.uniform(50, 120);
  paint(picture, [&](int x, int y) {
    if (upright) std::swap(x, y);
    const auto i = static_cast<std::size_t>(y) * size + x;
    const double ring = std::sin(rings * bend[i] * 2 + y * 0.25);
    const double seam = std::fmod(y, plank) < 2 ? 0.6 : 1;
    return scaled(wood, seam * (0.72 + 0.35 * grain[i] + 0.10 * ring));
  });
}

void paint_cloth(FloatPicture& picture, DeckRandom& random) {
  const Colour one = any_colour(random, 30, 240), other = any_colour(random, 30, 240);
  const double angle = random.uniform(0, 3.14159), period = random.uniform(8, 50);
  const double along_x = std::cos(angle) / period, along_y = std::sin(angle) / period;
  const bool checks = random.chance(0.5);
  auto odd = [](double v) { return (static_cast<int>(std::floor(v)) & 1) != 0; };
  paint(picture, [&](int x, int y) {
    const bool a = odd(x * along_x + y * along_y), b = odd(y * along_x - x * along_y);
    return (checks ? a != b : a) ? one : other;
  });
}

void paint_clutter(FloatPicture& picture, DeckRandom& random) {
  const int size = picture.size();
  const Colour ground = any_colour(random, 20, 235);
  struct Blob {
    double x, y, rx, ry;
    Colour colour;
  };
  std::vector<Blob> blobs(static_cast<std::size_t>(random.integer(6, 16)));
  for (Blob& blob : blobs) {
    blob = {random.uniform(0, size), random.uniform(0, size), random.uniform(8, 70), random.uniform(8, 70),
            any_colour(random, 0, 255)};
  }
  paint(picture, [&](int x, int y) {
    Colour colour = ground;
    for (const Blob& blob : blobs) {
      const double dx = (x - blob.x) / blob.rx, dy = (y - blob.y) / blob.ry;
      if (dx * dx + dy * dy < 1) colour = blob.colour;
    }
    return colour;
  });
}

void paint_ground(FloatPicture& picture, Ground ground, DeckRandom& random) {
  switch (ground) {
    case Ground::kWhite: {
      const double grey = random.uniform(235, 255);
      paint(picture, [&](int, int) { return Colour{grey, grey, grey}; });
      break;
    }
    case Ground::kPlain: {
      const Colour colour = random.chance(0.4) ? any_colour(random, 0, 40) : any_colour(random, 20, 240);
      paint(picture, [&](int, int) { return colour; });
      break;
    }
    case Ground::kGradient: {
      const Colour from = any_colour(random, 20, 250), to = any_colour(random, 20, 250);
      const double tilt = random.uniform(0, 1);
      paint(picture, [&](int x, int y) { return mix(from, to, (tilt * x + (1 - tilt) * y) / picture.size()); });
      break;
    }
    case Ground::kFelt:
      paint_felt(picture, random);
      break;
    case Ground::kWood:
      paint_wood(picture, random);
      break;
    case Ground::kCloth:
      paint_cloth(picture, random);
      break;
    case Ground::kClutter:
      paint_clutter(picture, random);
      break;
  }
}

}  // namespace

std::vector<float> value_noise(int size, double cell_x, double cell_y, DeckRandom& random) {
  const int columns = static_cast<int>(size / cell_x) + 2, rows = static_cast<int>(size / cell_y) + 2;
  std::vector<float> lattice(static_cast<std::size_t>(columns) * rows);
  for (float& value : lattice) value = static_cast<float>(random.uniform(0, 1));
  std::vector<float> noise(static_cast<std::size_t>(size) * size);
  for (int y = 0; y < size; ++y) {
    const double v = y / cell_y;
    const int row = static_cast<int>(v);
    const float down = static_cast<float>(v - row);
    for (int x = 0; x < size; ++x) {
      const double u = x / cell_x;
      const int column = static_cast<int>(u);
      const float across = static_cast<float>(u - column);
      const float* upper = &lattice[static_cast<std::size_t>(row) * columns + column];
      const float* lower = upper + columns;
      const float a = upper[0] + (upper[1] - upper[0]) * across, b = lower[0] + (lower[1] - lower[0]) * across;
      noise[static_cast<std::size_t>(y) * size + x] = a + (b - a) * down;
    }
  }
  return noise;
}

FloatPicture draw_background(int size, DeckRandom& random) {
  FloatPicture picture(size);
  static constexpr double kGrounds[] = {0.28, 0.16, 0.12, 0.12, 0.14, 0.08, 0.10};
  paint_ground(picture, static_cast<Ground>(random.weighted(kGrounds)), random);
  return picture;
}

FloatPicture draw_table(int size, DeckRandom& random) {
  FloatPicture picture(size);
  static constexpr double kGrounds[] = {0, 0.2, 0.1, 0.25, 0.3, 0.15, 0};
  paint_ground(picture, static_cast<Ground>(random.weighted(kGrounds)), random);
  // Light tables exist, but none is as light as paper.
  const double shade = random.uniform(0.55, 0.8);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      float* pixel = picture.at(x, y);
      for (int k = 0; k < 3; ++k) pixel[k] *= static_cast<float>(shade);
    }
  }
  return picture;
}

}  // namespace cudacards
