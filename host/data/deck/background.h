#pragma once
// What a photographed card lies on.

#include <vector>

#include "host/data/deck/path.h"
#include "host/data/deck/random.h"

namespace cudacards {

/// A square RGB picture in floats, 0 to 255, row by row.
class FloatPicture {
 public:
  explicit FloatPicture(int size) : size_(size), values_(static_cast<std::size_t>(size) * size * 3) {}
  int size() const { return size_; }
  float* at(int x, int y) { return &values_[(static_cast<std::size_t>(y) * size_ + x) * 3]; }

 private:
  int size_;
  std::vector<float> values_;
};

/// Smooth noise in [0, 1], size x size: random values on a lattice of cell_x by cell_y pixels, linear between them.
std::vector<float> value_noise(int size, double cell_x, double cell_y, DeckRandom& random);

FloatPicture draw_background(int size, DeckRandom& random);
/// Plain, felt, wood or cloth, darker than a card's paper.
FloatPicture draw_table(int size, DeckRandom& random);

}  // namespace cudacards
