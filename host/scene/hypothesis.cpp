#include "host/scene/hypothesis.h"

#include <algorithm>
#include <cmath>

namespace cudacards {
namespace {

constexpr double kWorthMoving = 0.4;  // of the outline's edges, before it is moved onto them
constexpr double kLeastEdge = 0.72, kLeastSide = 0.35;

template <class Better>
void sort_by(std::vector<Hypothesis>& hypotheses, Better&& quality) {
  std::stable_sort(hypotheses.begin(), hypotheses.end(),
                   [&](const Hypothesis& a, const Hypothesis& b) { return quality(a) > quality(b); });
}

void choose_label(std::span<const float> upright, std::span<const float> turned, Hypothesis& h) {
  constexpr double kPerfect = 0.9;
  const bool one_way = h.outline_quality() >= kPerfect;
  h.probability = -1;
  for (std::size_t k = 0; k < upright.size(); ++k) {
    const double a = upright[k], b = turned[k];
    const double here = one_way ? std::max(a, b) : (a + b) / 2;
    if (!(here > h.probability)) continue;  // NaN is nothing that a card could be
    h.probability = here;
    h.label = k;
    h.upside_down = b > a;
  }
}

/// Whether `inner` may be a frame printed on the card that `outer` is the outline of.
bool is_frame_within(const Hypothesis& inner, const Hypothesis& outer) {
  const double inner_area = area(inner.quad), outer_area = area(outer.quad);
  constexpr double kLeastFrame = 1.12, kMostFrame = 4;  // the card's area over that of what it may frame
  if (outer_area < kLeastFrame * inner_area || outer_area > kMostFrame * inner_area) return false;
  if (cv::norm(centre(inner.quad) - centre(outer.quad)) > 0.12 * std::sqrt(outer_area)) return false;
  if (shared_area(inner.quad, outer.quad) < 0.95 * inner_area) return false;
  return outer.support.lighter > 0.75 && outer.support.unevenness < 0.25 &&
         outer.outline_quality() > 0.8 * inner.outline_quality();
}

}  // namespace

double Hypothesis::outline_quality() const {
  const Sides seen = sides(quad);
  const double proportion = seen.height / seen.width;
  const double tilted = std::max({kPokerSides - proportion, proportion - kBridgeSides, 0.0});
  return (support.edge + support.weakest_side) / 2 * (0.6 + 0.4 * support.lighter) *
         (1 - 0.5 * std::min(support.unevenness, 1.0)) * (1 - tilted);
}

std::vector<Hypothesis> supported(const Photo& photo, const std::vector<Quad>& quads, std::span<const Quad> above) {
  std::vector<Hypothesis> all;
  for (const Quad& quad : quads) {
    if (support_of(photo, quad, above).edge < kWorthMoving) continue;
    const Quad moved = ordered(moved_onto_edges(photo, quad, above));
    if (!is_card_shaped(moved)) continue;
    const Hypothesis hypothesis{.quad = moved, .support = support_of(photo, moved, above), .visible = {}};
    if (hypothesis.support.edge >= kLeastEdge && hypothesis.support.weakest_side >= kLeastSide)
      all.push_back(hypothesis);
  }
  sort_by(all, [](const Hypothesis& h) { return h.outline_quality(); });
  std::vector<Hypothesis> kept;
  for (const Hypothesis& h : all) {
    const auto repeats = [&](const Hypothesis& other) { return same_place(h.quad, other.quad, kSamePlace); };
    if (std::any_of(kept.begin(), kept.end(), repeats)) continue;
    kept.push_back(h);
    kept.back().visible = visible_part(photo, h.quad, above);
  }
  return kept;
}

void remove_inner_frames(std::vector<Hypothesis>& hypotheses) {
  std::vector<Hypothesis> kept;
  for (const Hypothesis& inner : hypotheses) {
    const bool is_frame = std::any_of(hypotheses.begin(), hypotheses.end(),
                                      [&](const Hypothesis& outer) { return is_frame_within(inner, outer); });
    if (!is_frame) kept.push_back(inner);
  }
  hypotheses = std::move(kept);
}

void name(const Photo& photo, std::span<const Quad> above, const CardNamer& namer,
          std::vector<Hypothesis>& hypotheses) {
  if (hypotheses.empty()) return;
  const std::size_t bytes = Image::bytes_of(namer.height, namer.width), classes = namer.classes.size();
  std::vector<std::uint8_t> pixels(2 * hypotheses.size() * bytes);
  std::vector<const std::uint8_t*> pictures;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    for (const bool upside_down : {false, true}) {
      std::uint8_t* picture = &pixels[pictures.size() * bytes];
      rectify(photo, hypotheses[i].quad, above, upside_down, namer.height, namer.width, picture);
      pictures.push_back(picture);
    }
  }
  const std::vector<float> probabilities = namer.probabilities(pictures);
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const float *upright = &probabilities[2 * i * classes], *turned = upright + classes;
    choose_label({upright, classes}, {turned, classes}, hypotheses[i]);
  }
  sort_by(hypotheses, [](const Hypothesis& h) { return h.quality(); });
}

}  // namespace cudacards
