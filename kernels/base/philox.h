#pragma once
// Philox4x32-10, a counter-based random number generator: the n-th number is a pure function of (key, n), so that the
// CPU, the emulator and the GPU draw the same numbers in any order and a run resumes at any step without stored state.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Verified in tests against
// the known answers of the authors' Random123 library.

#include <cstdint>

#include "kernels/base/host_device.h"

namespace cudacards {

/// What a stream of random numbers is for. Part of the key, so that no two uses ever share numbers.
enum class RandomPurpose : std::uint32_t {
  kInitialise = 1,  // counter: (parameter index, element / 4)
  kDropout = 2,     // counter: (step, node index, element / 4)
  kShuffle = 3,     // counter: (epoch, position)
  kAugment = 4,     // counter: (epoch, picture index, draw)
  kDeck = 6,        // generated decks: (class, picture, draw)
  kMeasure = 7,     // inputs that implementations are compared on: (0, tensor, element / 4)
};

struct Random4 {
  std::uint32_t v[4];
};

/// Four 32-bit random words for a 64-bit key and a 128-bit counter.
CUDACARDS_HOST_DEVICE inline Random4 philox4x32_10(std::uint32_t key0, std::uint32_t key1, std::uint32_t c0,
                                                   std::uint32_t c1, std::uint32_t c2, std::uint32_t c3) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(0xD2511F53u) * c0;
    const std::uint64_t p1 = static_cast<std::uint64_t>(0xCD9E8D57u) * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ key0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ key1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    key0 += 0x9E3779B9u;  // the golden ratio and sqrt(3) - 1: the Weyl sequence of the paper
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// The project's numbering: key (seed folded to 32 bits, purpose), counter (step low, step high, lane, element / 4).
/// `lane` is the layer, picture or parameter index, whichever the purpose says.
CUDACARDS_HOST_DEVICE inline Random4 random4(std::uint64_t seed, RandomPurpose purpose, std::uint64_t step,
                                             std::uint32_t lane, std::uint32_t quad) {
  const std::uint32_t key0 = static_cast<std::uint32_t>(seed) ^ (static_cast<std::uint32_t>(seed >> 32) * 0x85EBCA6Bu);
  return philox4x32_10(key0, static_cast<std::uint32_t>(purpose), static_cast<std::uint32_t>(step),
                       static_cast<std::uint32_t>(step >> 32), lane, quad);
}

/// Uniform in [0, 1) with 24 bits: exact in fp32, the same on every machine.
CUDACARDS_HOST_DEVICE inline float uniform01(std::uint32_t word) {
  return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}

}  // namespace cudacards
