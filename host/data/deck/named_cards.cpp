#include "host/data/deck/named_cards.h"

#include <fmt/format.h>

#include <algorithm>

namespace cudacards {

const std::vector<NamedCard>& named_cards() {
  static const std::vector<NamedCard> cards = [] {
    constexpr const char* kRanks[] = {"ace",   "two",  "three", "four", "five",  "six", "seven",
                                      "eight", "nine", "ten",   "jack", "queen", "king"};
    constexpr const char* kSuitNames[] = {"clubs", "diamonds", "hearts", "spades"};
    std::vector<NamedCard> all{{"joker", {Rank::kJoker, Suit::kSpades}}};
    for (int rank = 0; rank < 13; ++rank) {
      for (int suit = 0; suit < kSuits; ++suit) {
        all.push_back({fmt::format("{} of {}", kRanks[rank], kSuitNames[suit]),
                       {static_cast<Rank>(rank + 1), static_cast<Suit>(suit)}});
      }
    }
    std::sort(all.begin(), all.end(), [](const NamedCard& a, const NamedCard& b) { return a.name < b.name; });
    return all;
  }();
  return cards;
}

}  // namespace cudacards
