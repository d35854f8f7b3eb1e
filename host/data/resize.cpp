#include "host/data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace cudacards {
namespace {

// Weights are 22-bit fixed point: 8 bits of pixel, 22 of weight and a carry fit in 32.
constexpr int kWeightBits = 22;
constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

/// One dimension of the filter: dst[i] = sum over j < count of src[first + j] * weights[j].
struct Taps {
  int first = 0, count = 0;
  const std::int32_t* weights = nullptr;
};

class Filter {
 public:
  Filter(int src_size, int dst_size) : taps_(static_cast<std::size_t>(dst_size)) {
    const double ratio = static_cast<double>(src_size) / dst_size;
    const double support = std::max(ratio, 1.0);  // of the triangle, to each side, in source pixels
    const auto stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
    weights_.resize(stride * taps_.size());
    std::vector<double> exact(stride);
    for (int i = 0; i < dst_size; ++i) {
      const double centre = (i + 0.5) * ratio;
      const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
      const int count = std::min(static_cast<int>(centre + support + 0.5), src_size) - first;
      double sum = 0;
      for (int j = 0; j < count; ++j) {
        const double distance = std::abs((j + first - centre + 0.5) * (1.0 / support));
        exact[static_cast<std::size_t>(j)] = std::max(1.0 - distance, 0.0);
        sum += exact[static_cast<std::size_t>(j)];
      }
      std::int32_t* weights = weights_.data() + stride * static_cast<std::size_t>(i);
      for (int j = 0; j < count; ++j) {
        weights[j] = static_cast<std::int32_t>(0.5 + exact[static_cast<std::size_t>(j)] / sum * (1 << kWeightBits));
      }
      taps_[static_cast<std::size_t>(i)] = {first, count, weights};
    }
  }

  const Taps& operator[](int i) const { return taps_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<Taps> taps_;
  std::vector<std::int32_t> weights_;
};

std::uint8_t to_pixel(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

/// (H,W,3) -> (H,width,3).
Image resize_columns(const Image& src, int width) {
  const Filter filter(src.width, width);
  Image dst(src.height, width);
  for (int y = 0; y < src.height; ++y) {
    const std::uint8_t* src_row = src.pixels.get() + Image::bytes_of(y, src.width);
    std::uint8_t* dst_row = dst.pixels.get() + Image::bytes_of(y, width);
    for (int x = 0; x < width; ++x) {
      const Taps& taps = filter[x];
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      const std::uint8_t* pixel = src_row + 3 * static_cast<std::ptrdiff_t>(taps.first);
      for (int j = 0; j < taps.count; ++j, pixel += 3) {
        red += pixel[0] * taps.weights[j];
        green += pixel[1] * taps.weights[j];
        blue += pixel[2] * taps.weights[j];
      }
      dst_row[3 * x] = to_pixel(red);
      dst_row[3 * x + 1] = to_pixel(green);
      dst_row[3 * x + 2] = to_pixel(blue);
    }
  }
  return dst;
}

/// (H,W,3) -> (height,W,3).
void resize_rows(const Image& src, int height, std::uint8_t* dst) {
  const Filter filter(src.height, height);
  const std::size_t row_bytes = Image::bytes_of(1, src.width);
  std::vector<std::int32_t> sums(row_bytes);
  for (int y = 0; y < height; ++y, dst += row_bytes) {
    const Taps& taps = filter[y];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int j = 0; j < taps.count; ++j) {
      const std::uint8_t* row = src.pixels.get() + static_cast<std::size_t>(taps.first + j) * row_bytes;
      const std::int32_t weight = taps.weights[j];
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += row[i] * weight;
    }
    for (std::size_t i = 0; i < row_bytes; ++i) dst[i] = to_pixel(sums[i]);
  }
}

}  // namespace

void resize(const Image& src, int height, int width, std::uint8_t* dst) {
  if (src.width != width) {
    const Image narrowed = resize_columns(src, width);
    resize(narrowed, height, width, dst);
  } else if (src.height != height) {
    resize_rows(src, height, dst);
  } else {
    std::memcpy(dst, src.pixels.get(), src.bytes());
  }
}

}  // namespace cudacards
