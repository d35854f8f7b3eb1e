#pragma once
// SHA-256 (FIPS 180-4) of bytes in memory; a large file is mapped.

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace cudacards {

using ByteSpan = std::span<const std::uint8_t>;
using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(ByteSpan bytes);
/// 64 lower-case digits.
std::string hex(const Sha256& digest);

}  // namespace cudacards
