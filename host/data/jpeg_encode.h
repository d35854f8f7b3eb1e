#pragma once
// Pixels to JPEG, by libjpeg-turbo.

#include <cstdint>
#include <vector>

namespace cudacards {

enum class ChromaSampling : std::uint8_t { k444, k420 };  // colour at every pixel, or at every second a way

/// `pixels`: RGB, height rows of width x 3 bytes that begin every `row_bytes`. Quality 1 to 100.
std::vector<std::uint8_t> encode_jpeg(const std::uint8_t* pixels, int height, int width, std::size_t row_bytes,
                                      int quality, ChromaSampling sampling);

}  // namespace cudacards
