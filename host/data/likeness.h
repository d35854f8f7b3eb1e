#pragma once
// How alike two pictures look, by measures that are cheap enough for each pair of thousands.

#include <cstdint>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

/// What a picture is known by.
class Likeness {
 public:
  Likeness() = default;
  explicit Likeness(const Image& picture);

  /// Which of the 64 lowest frequencies of the grey picture (a DCT of 32 x 32) are above their median: Zauner,
  /// "Implementation and benchmarking of perceptual image hash functions", 2010.
  std::uint64_t hash() const { return hash_; }
  const std::vector<float>& coarse() const { return coarse_; }
  const std::vector<std::uint8_t>& fine() const { return fine_; }

 private:
  std::uint64_t hash_ = 0;
  std::vector<float> coarse_;       // (16,16,3), mean 0, length 1; of a picture without contrast all 0
  std::vector<std::uint8_t> fine_;  // (64,64,3)
};

/// Of the coarse copies, -1 to 1.
double correlation(const Likeness& a, const Likeness& b);

/// The worst of the fine copies' 8 x 8 blocks: how much of it is left (root mean square over the picture's own contrast)
/// when brightness and contrast have been matched and the block has been moved by up to two pixels to where it fits
/// best. 0: the same pixels; around 1: something else is there. Cards of another rank or suit differ in a few blocks
/// alone, which a measure of the whole picture does not see. Where it is above `enough`, some number above `enough`.
double difference(const Likeness& a, const Likeness& b, double enough = 10);

}  // namespace cudacards
