#pragma once
// The random choices of one picture: a walk along one Philox stream. What is drawn depends only on (seed, split, class,
// index, stream), so pictures can be drawn in any order and on any number of threads; the streams keep one stage's
// draws from shifting another's.

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/base/philox.h"

namespace cudacards {

/// Which picture: counter of its random numbers.
struct PictureKey {
  std::uint64_t seed = 0;
  std::uint32_t split = 0;
  std::uint32_t index = 0;  // in its class and split
  std::uint32_t card = 0;   // in card_names()
};

enum class DeckStream : std::uint32_t { kStyle, kFace, kPhotograph, kNoise, kNeighbour, kJpeg, kScene };

class DeckRandom {
 public:
  DeckRandom(const PictureKey& key, DeckStream stream)
      : seed_(key.seed),
        step_((std::uint64_t{key.split} << 32) | key.index),
        lane_(key.card | static_cast<std::uint32_t>(stream) << 16) {}

  std::uint32_t word() {
    if (used_ == 4) {
      words_ = random4(seed_, RandomPurpose::kDeck, step_, lane_, quad_++);
      used_ = 0;
    }
    return words_.v[used_++];
  }

  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(uniform01(word())); }

  /// Uniform in {low, ..., high}.
  int integer(int low, int high) {
    const auto range = static_cast<std::uint64_t>(high - low + 1);
    return low + static_cast<int>((word() * range) >> 32);
  }

  bool chance(double probability) { return static_cast<double>(uniform01(word())) < probability; }

  template <class T, std::size_t N>
  const T& pick(const T (&values)[N]) {
    return values[static_cast<std::size_t>(integer(0, static_cast<int>(N) - 1))];
  }

  /// Index of the entry that a draw in proportion to the weights falls on.
  std::size_t weighted(std::span<const double> weights) {
    double total = 0;
    for (const double w : weights) total += w;
    double left = uniform(0, total);
    for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
      if (left < weights[i]) return i;
      left -= weights[i];
    }
    return weights.size() - 1;
  }

 private:
  std::uint64_t seed_, step_;
  std::uint32_t lane_, quad_ = 0, used_ = 4;
  Random4 words_{};
};

}  // namespace cudacards
