#include "host/data/shuffle.h"

#include <utility>

#include "kernels/base/philox.h"

namespace cudacards {

void shuffle(std::span<std::int64_t> order, std::uint64_t seed, std::uint64_t stream) {
  for (std::size_t i = order.size(); i > 1; --i) {
    const Random4 random = random4(seed, RandomPurpose::kShuffle, stream, static_cast<std::uint32_t>(i - 1), 0);
    // The upper half of a 32 x 32-bit product: an index below i whose bias, i / 2^32, is far below what a run could
    // show.
    const std::uint64_t j = (static_cast<std::uint64_t>(random.v[0]) * i) >> 32;
    std::swap(order[i - 1], order[j]);
  }
}

}  // namespace cudacards
