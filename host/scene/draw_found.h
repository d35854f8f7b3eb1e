#pragma once
// Found cards drawn on their photo.

#include <vector>

#include "host/scene/find_cards.h"
#include "host/scene/known_cards.h"

namespace cudacards {

/// The photo, enlarged where it is small, with outlines, names and probabilities.
Image draw_found(const Image& photo, const std::vector<FoundCard>& found);

/// The same where the answers are known: what is wrong in red, what was missed as a yellow box.
Image draw_found(const Image& photo, const std::vector<FoundCard>& found, const std::vector<KnownCard>& known,
                 const Agreement& agreement);

}  // namespace cudacards
