#pragma once
// Numbers that tests/golden/formula.py repeats bit for bit: golden files need not hold their inputs.

#include <cstdint>
#include <string_view>
#include <vector>

#include "host/graph/parameters.h"

namespace cudacards::testing_support {

std::uint32_t key_of(std::string_view name);               // FNV-1a
std::uint32_t mix(std::int64_t index, std::uint32_t key);  // the finaliser of MurmurHash3
double uniform(std::int64_t index, std::uint32_t key);     // in [-1, 1), with 24 bits

/// Weights with variance 2 / fan_in, small biases and betas, gammas around 1; means 0 and variances 1.
void set_initial_values(Parameters& parameters);

/// `count` pictures of so many bytes, one behind the other.
std::vector<std::uint8_t> formula_pixels(std::int64_t count, std::int64_t bytes_each);
/// Where each of them begins.
std::vector<const std::uint8_t*> each_of(const std::vector<std::uint8_t>& pictures, std::int64_t bytes_each);

}  // namespace cudacards::testing_support
