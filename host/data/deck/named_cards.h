#pragma once
// The 53 cards by name.

#include <string>
#include <vector>

#include "host/data/deck/face.h"

namespace cudacards {

struct NamedCard {
  std::string name;
  Card card;
};

/// In the order of card_names() (deck.h).
const std::vector<NamedCard>& named_cards();

}  // namespace cudacards
