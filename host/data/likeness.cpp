#include "host/data/likeness.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

#include "host/data/resize.h"

namespace cudacards {
namespace {

constexpr int kHashSide = 32, kCoarseSide = 16, kFineSide = 64, kBlock = 8, kMove = 2;
constexpr std::size_t kBits = 64;

/// basis[u][x] of the DCT-II.
using Basis = std::array<std::array<float, kHashSide>, kHashSide>;
const Basis& basis() {
  static const Basis table = [] {
    Basis t{};
    for (int u = 0; u < kHashSide; ++u) {
      for (int x = 0; x < kHashSide; ++x) {
        t[static_cast<std::size_t>(u)][static_cast<std::size_t>(x)] =
            static_cast<float>(std::cos(std::numbers::pi * (2 * x + 1) * u / (2 * kHashSide)));
      }
    }
    return t;
  }();
  return table;
}

/// The 64 lowest (u, v) besides (0, 0), in the order of u + v.
const std::array<std::pair<std::size_t, std::size_t>, kBits>& lowest_frequencies() {
  static const auto table = [] {
    std::array<std::pair<std::size_t, std::size_t>, kBits> t;
    std::size_t count = 0;
    for (std::size_t sum = 1; count < kBits; ++sum) {
      for (std::size_t u = 0; u <= sum && count < kBits; ++u) t[count++] = {u, sum - u};
    }
    return t;
  }();
  return table;
}

std::vector<float> grey(const Image& picture, int side) {
  Image small(side, side);
  resize(picture, side, side, small.pixels.get());
  std::vector<float> values(small.bytes() / 3);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint8_t* rgb = small.pixels.get() + 3 * i;
    values[i] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
  }
  return values;
}

std::uint64_t hash_of(const Image& picture) {
  const std::vector<float> pixels = grey(picture, kHashSide);
  std::array<float, kBits> amplitudes{};
  for (std::size_t i = 0; i < kBits; ++i) {
    const auto& [u, v] = lowest_frequencies()[i];
    for (std::size_t y = 0; y < kHashSide; ++y) {
      float row = 0;
      for (std::size_t x = 0; x < kHashSide; ++x) row += pixels[y * kHashSide + x] * basis()[v][x];
      amplitudes[i] += row * basis()[u][y];
    }
  }
  std::array<float, kBits> sorted = amplitudes;
  std::ranges::nth_element(sorted, sorted.begin() + kBits / 2 - 1);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < kBits; ++i)
    hash |= static_cast<std::uint64_t>(amplitudes[i] > sorted[kBits / 2 - 1]) << i;
  return hash;
}

/// Of the values' mean 0; returns their length before it is made 1.
float normalise(std::vector<float>& values) {
  const float mean = std::accumulate(values.begin(), values.end(), 0.0f) / static_cast<float>(values.size());
  for (float& value : values) value -= mean;
  const float length = std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0f));
  if (length < 1e-3f) {
    std::ranges::fill(values, 0.0f);
    return 0;
  }
  for (float& value : values) value /= length;
  return length;
}

/// `src` where it is asked, and its edge repeated kMove pixels around it.
std::vector<float> with_edges(const std::vector<float>& src) {
  constexpr int kWide = kFineSide + 2 * kMove;
  std::vector<float> dst;
  dst.reserve(std::size_t{kWide} * kWide * 3);
  for (int y = -kMove; y < kFineSide + kMove; ++y) {
    for (int x = -kMove; x < kFineSide + kMove; ++x) {
      const int at = std::clamp(y, 0, kFineSide - 1) * kFineSide + std::clamp(x, 0, kFineSide - 1);
      for (int c = 0; c < 3; ++c) dst.push_back(src[static_cast<std::size_t>(3 * at + c)]);
    }
  }
  return dst;
}

/// Sum of squares between the block of `a` at (y, x) and that of the wider `b` moved by (dy, dx).
float squares(const float* a, const float* b) {
  constexpr std::size_t kRow = std::size_t{kFineSide} * 3, kWideRow = std::size_t{kFineSide + 2 * kMove} * 3;
  float sum = 0;
  for (std::size_t y = 0; y < kBlock; ++y) {
    for (std::size_t i = 0; i < std::size_t{kBlock} * 3; ++i) {
      const float d = a[y * kRow + i] - b[y * kWideRow + i];
      sum += d * d;
    }
  }
  return sum;
}

/// The worst block of `a`, wherever it fits best in `b`: sum of squares. The first above `enough` is bad enough.
float worst_block(const std::vector<float>& a, const std::vector<float>& b, float enough) {
  constexpr int kWide = kFineSide + 2 * kMove;
  const std::vector<float> wide = with_edges(b);
  float worst = 0;
  for (int y = 0; y < kFineSide; y += kBlock) {
    for (int x = 0; x < kFineSide; x += kBlock) {
      float best = std::numeric_limits<float>::max();
      for (int dy = 0; dy <= 2 * kMove; ++dy) {
        for (int dx = 0; dx <= 2 * kMove; ++dx)
          best = std::min(best,
                          squares(a.data() + 3 * (y * kFineSide + x), wide.data() + 3 * ((y + dy) * kWide + x + dx)));
      }
      worst = std::max(worst, best);
      if (worst > enough) return worst;
    }
  }
  return worst;
}

}  // namespace

Likeness::Likeness(const Image& picture) {
  Image fine(kFineSide, kFineSide), coarse(kCoarseSide, kCoarseSide);
  resize(picture, kFineSide, kFineSide, fine.pixels.get());
  resize(fine, kCoarseSide, kCoarseSide, coarse.pixels.get());
  hash_ = hash_of(fine);
  coarse_.assign(coarse.pixels.get(), coarse.pixels.get() + coarse.bytes());
  normalise(coarse_);
  fine_.assign(fine.pixels.get(), fine.pixels.get() + fine.bytes());
}

double correlation(const Likeness& a, const Likeness& b) {
  return std::inner_product(a.coarse().begin(), a.coarse().end(), b.coarse().begin(), 0.0f);
}

double difference(const Likeness& a, const Likeness& b, double enough) {
  if (a.fine() == b.fine()) return 0;
  std::vector<float> x(a.fine().begin(), a.fine().end()), y(b.fine().begin(), b.fine().end());
  if (normalise(x) == 0 || normalise(y) == 0) return 1;  // nothing that could be alike
  // Least squares: each is the other's shadow, and what is left is measured in units of its own contrast.
  const float cosine = std::inner_product(x.begin(), x.end(), y.begin(), 0.0f);
  const auto scaled = [cosine](std::vector<float> values) {
    for (float& value : values) value *= cosine;
    return values;
  };
  // All values' squares add up to 1: a block's share of them is small.
  const double block_share = kBlock * kBlock * 3 / static_cast<double>(x.size());
  const auto stop = static_cast<float>(enough * enough * block_share);
  float worst = worst_block(x, scaled(y), stop);
  if (worst <= stop) worst = std::max(worst, worst_block(y, scaled(x), stop));
  return std::sqrt(worst / block_share);
}

}  // namespace cudacards
