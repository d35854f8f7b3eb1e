#pragma once
// Values to fill tensors with.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/base/dtype.h"

namespace cudacards::bench {

struct Drawn {
  bool integers = false;  // small whole numbers instead of numbers from -1 to 1
  bool positive = false;  // at least a half, for variances and what multiplies
  auto operator<=>(const Drawn&) const = default;
};

/// The first elements of a tensor of `elements`: all of them, or a block to be repeated, because drawing a billion
/// would take longer than the benchmark. The block's length is prime, so that no row begins where another does. Pixels
/// take every value. Lanes begin at different places. Valid until the program's end; not thread-safe.
std::span<const std::byte> drawn_values(DType type, std::int64_t elements, const Drawn& how, std::uint32_t lane);

}  // namespace cudacards::bench
