#pragma once
// What is known to be on photos, and how well what was found agrees with it.

#include <array>
#include <map>
#include <string>
#include <vector>

#include "host/scene/find_cards.h"

namespace cudacards {

struct KnownCard {
  std::string label;  // "queen of hearts", or "queen" where only the rank is known
  std::array<double, 4> box{};
};

/// By the photo's file name, without folders.
using KnownCards = std::map<std::string, std::vector<KnownCard>>;

/// Reads a table (CSV) with a header that has the columns filename, xmin, ymin, xmax, ymax and label or rank, in any
/// order (docs/formats.md). Throws Error with the line that is wrong.
KnownCards read_known_cards(const std::string& path);

/// Which of the found cards are right, and which of the known ones were found: a found card is that known one of its
/// name (or rank) whose box it overlaps most, by half of what both cover together at least. Each known card is found
/// once, by the most probable.
struct Agreement {
  std::vector<bool> right;  // a found card each
  std::vector<bool> met;    // a known card each

  bool is_perfect() const;
};
Agreement compare(const std::vector<FoundCard>& found, const std::vector<KnownCard>& known);

/// Sums over photos.
struct FindScore {
  int photos = 0, known = 0, found = 0, right = 0;

  void add(const Agreement& agreement);
  double recall() const { return known == 0 ? 1 : static_cast<double>(right) / known; }
  double precision() const { return found == 0 ? 1 : static_cast<double>(right) / found; }
};

}  // namespace cudacards
