// Number cards: ace to ten.

#include "host/data/deck/face.h"

namespace cudacards {
namespace {

enum class Ornament { kNone, kSmallPip, kRings, kBeads, kLightLine };
constexpr double kOrnamentedAce = 18;  // radius from which on an ace may have one

void draw_ace(const Canvas& canvas, Suit suit, const DeckStyle& style, DeckRandom& random) {
  const Colour& colour = style.suit_colour[static_cast<int>(suit)];
  draw_pip(canvas, suit, style.ace_radius, style);
  if (style.ace_radius < kOrnamentedAce) return;
  const bool flat = style.pip_finish == PipFinish::kFlat;
  switch (static_cast<Ornament>(random.integer(0, 4))) {
    case Ornament::kNone:
      break;
    case Ornament::kSmallPip: {
      const double r = style.ace_radius * 0.26;
      const double rise = style.ace_radius * (suit == Suit::kSpades ? 0.05 : -0.1);
      canvas.fill(transformed(Affine::translate(0, rise) * Affine::scale(r, r), suit_outline(suit, style.suits)),
                  flat ? style.paper : colour);
      break;
    }
    case Ornament::kRings:
      canvas.stroke(circle({0, 0}, style.ace_radius * 1.35), 1.2, colour);
      canvas.stroke(circle({0, 0}, style.ace_radius * 1.42), 0.5, colour);
      break;
    case Ornament::kBeads:
      for (int i = 0; i < 24; ++i) {
        const Point place = Affine::rotate(15.0 * i)({0, style.ace_radius * 1.4});
        canvas.fill(circle(place, i % 2 == 0 ? 1.3 : 0.7), colour);
      }
      break;
    case Ornament::kLightLine: {
      const Path outline = suit_outline(suit, style.suits);
      const double inner = style.ace_radius * 0.8;
      if (flat && outline.size() == 1)
        canvas.stroke(transformed(Affine::scale(inner, inner), outline), 0.8, style.paper);
      break;
    }
  }
}

/// A card that shows no count: a motif in place of the pips, so that the index alone tells the rank.
void draw_emblem(const Canvas& canvas, Suit suit, const DeckStyle& style, DeckRandom& random) {
  const int petals = random.integer(5, 9);
  const double radius = random.uniform(20, 30);
  for (int i = 0; i < petals; ++i) {
    const Canvas petal = canvas.within(Affine::rotate(360.0 * i / petals) * Affine::translate(0, -radius * 0.62));
    petal.outlined(ellipse({0, 0}, radius * 0.28, radius * 0.42), style.cloth[i % 2], 0.8, style.line);
  }
  canvas.outlined(circle({0, 0}, radius * 0.4), style.cloth[2], 0.8, style.line);
  draw_pip(canvas, suit, radius * 0.3, style);
}

}  // namespace

void draw_pip(const Canvas& canvas, Suit suit, double radius, const DeckStyle& style) {
  const Colour& colour = style.suit_colour[static_cast<int>(suit)];
  const Path outline = suit_outline(suit, style.suits);
  auto scaled = [&](double factor) { return transformed(Affine::scale(radius * factor, radius * factor), outline); };
  switch (style.pip_finish) {
    case PipFinish::kFlat:
      canvas.fill(scaled(1), colour);
      break;
    case PipFinish::kOutlined:
      canvas.stroke(scaled(1), radius * 0.16, style.pip_outline);
      canvas.fill(scaled(1), colour);
      break;
    case PipFinish::kHollow:
      canvas.stroke(scaled(0.92), radius * 0.2, colour);
      canvas.fill(scaled(0.92), mix(style.paper, colour, 0.12));
      break;
  }
}

std::vector<Point> pip_places(Rank rank) {
  const int count = static_cast<int>(rank);
  std::vector<Point> places;
  auto both_columns = [&](double y) {
    places.push_back({-1, y});
    places.push_back({1, y});
  };
  auto middle = [&](double y) { places.push_back({0, y}); };
  if (count == 2 || count == 3) {
    middle(-1);
    middle(1);
  }
  if (count >= 4) {
    both_columns(-1);
    both_columns(1);
  }
  if (count >= 6 && count <= 8) both_columns(0);
  if (count >= 9) {
    both_columns(-1.0 / 3);
    both_columns(1.0 / 3);
  }
  if (count == 1 || count == 3 || count == 5 || count == 9) middle(0);
  if (count == 7 || count == 8) middle(-0.5);
  if (count == 8) middle(0.5);
  if (count == 10) {
    middle(-2.0 / 3);
    middle(2.0 / 3);
  }
  return places;
}

void draw_number(const Canvas& canvas, const Card& card, const DeckStyle& style, DeckRandom& random) {
  if (card.rank == Rank::kAce) return draw_ace(canvas, card.suit, style, random);
  switch (style.number_art) {
    case NumberArt::kOneLargePip:
      return draw_pip(canvas, card.suit, style.ace_radius, style);
    case NumberArt::kEmblem:
      return draw_emblem(canvas, card.suit, style, random);
    case NumberArt::kPips:
      break;
  }
  for (const Point& place : pip_places(card.rank)) {
    const Canvas here = canvas.within(Affine::translate(place.x * style.pip_spread_x, place.y * style.pip_spread_y));
    const bool head_down = place.y > 0 && style.pip_layout == PipLayout::kHeadDown;
    draw_pip(head_down ? here.within(Affine::rotate(180)) : here, card.suit, style.pip_radius, style);
  }
}

}  // namespace cudacards
