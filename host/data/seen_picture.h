#pragma once
// A picture as a network in training sees it, for people to look at.

#include <cstdint>
#include <string>

#include "host/data/augment.h"
#include "host/data/image.h"

namespace cudacards {

/// From a file to side x side pixels: squashed as for every model, then with the view that training with `augment` and
/// `seed` would draw of picture `index` in its first epoch. Throws Error with the reason alone: the caller knows the
/// path.
Image seen_picture(const std::string& path, int side, const AugmentOptions& augment, std::uint64_t seed,
                   std::uint64_t index);

}  // namespace cudacards
