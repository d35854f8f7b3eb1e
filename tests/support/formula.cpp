#include "tests/support/formula.h"

#include <cmath>

namespace cudacards::testing_support {

std::uint32_t key_of(std::string_view name) {
  std::uint32_t h = 0x811C9DC5u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return h;
}

std::uint32_t mix(std::int64_t index, std::uint32_t key) {
  std::uint32_t h = static_cast<std::uint32_t>(index) + key;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

double uniform(std::int64_t index, std::uint32_t key) {
  return static_cast<double>(mix(index, key) >> 8) / (1 << 23) - 1;
}

void set_initial_values(Parameters& parameters) {
  for (const auto& p : parameters.list()) {
    const double fan_in = static_cast<double>(p.spec.shape.elements()) / static_cast<double>(p.spec.shape[0]);
    const std::string& leaf = p.spec.name;
    double centre = 0, reach = 0;
    if (leaf == "weights") reach = std::sqrt(6 / fan_in);
    if (leaf == "bias" || leaf == "beta") reach = 0.1;
    if (leaf == "gamma" || leaf == "variance") centre = 1;
    if (leaf == "gamma") reach = 0.25;
    const auto values = parameters.values(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(centre + reach * uniform(static_cast<std::int64_t>(i), key_of(p.name)));
    }
  }
  parameters.touch();
}

std::vector<std::uint8_t> formula_pixels(std::int64_t count, std::int64_t bytes_each) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count * bytes_each));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(mix(static_cast<std::int64_t>(i), key_of("pixels")) % 256);
  }
  return bytes;
}

std::vector<const std::uint8_t*> each_of(const std::vector<std::uint8_t>& pictures, std::int64_t bytes_each) {
  std::vector<const std::uint8_t*> begins;
  for (std::size_t at = 0; at < pictures.size(); at += static_cast<std::size_t>(bytes_each))
    begins.push_back(pictures.data() + at);
  return begins;
}

}  // namespace cudacards::testing_support
