#pragma once
// A random order that needs no history.

#include <cstdint>
#include <span>

namespace cudacards {

/// Fisher-Yates with the random numbers of (seed, stream, position).
void shuffle(std::span<std::int64_t> order, std::uint64_t seed, std::uint64_t stream);

}  // namespace cudacards
