#pragma once
// That a card lies here.

#include <span>
#include <vector>

#include "host/scene/find_cards.h"
#include "host/scene/outline.h"
#include "host/scene/rectify.h"

namespace cudacards {

struct Hypothesis {
  Quad quad;
  Support support;
  Visible visible;
  std::size_t label = 0;
  double probability = 0;    // mean over the card upright and turned: a card is the same both ways
  bool upside_down = false;  // the more probable of the two

  /// How much it looks like a card's outline, whatever is on it.
  double outline_quality() const;
  double quality() const { return probability * outline_quality(); }
};

/// Those of the outlines that edges bear out, moved onto them, the best first, none twice.
std::vector<Hypothesis> supported(const Photo& photo, const std::vector<Quad>& quads, std::span<const Quad> above);

/// Without outlines printed on a card, which lie within a better one around the same centre.
void remove_inner_frames(std::vector<Hypothesis>& hypotheses);

/// Gives each its label and probability, and sorts them by quality. Cards are cut out both ways: a queen is the same
/// upside down, an ace nearly. Within a perfect outline the more probable way counts, elsewhere the mean of both, which
/// only a card makes high.
void name(const Photo& photo, std::span<const Quad> above, const CardNamer& namer, std::vector<Hypothesis>& hypotheses);

}  // namespace cudacards
