#pragma once
// Pictures without files, to measure a step on: what a step takes does not depend on what is on them.

#include "host/data/dataset.h"

namespace cudacards {

/// `count` pictures of random pixels, labelled by the classes in turn.
Pictures noise_pictures(std::int64_t count, int height, int width, int classes);

}  // namespace cudacards
