#pragma once
// A card's face: paper, border, indices, and what stands between them.

#include <opencv2/core.hpp>

#include "host/data/deck/style.h"

namespace cudacards {

enum class Rank {
  kAce = 1,
  kTwo,
  kThree,
  kFour,
  kFive,
  kSix,
  kSeven,
  kEight,
  kNine,
  kTen,
  kJack,
  kQueen,
  kKing,
  kJoker
};

/// The joker's suit means nothing.
struct Card {
  Rank rank = Rank::kAce;
  Suit suit = Suit::kClubs;
};

/// What stands in the corner: "A", "2", ..., "10", "J", "Q", "K".
const char* index_text(Rank rank);

/// The whole rectangle of the card, `width` pixels wide, upright, RGB (CV_8UC3). `random`: the details that the style
/// leaves open.
cv::Mat draw_face(const Card& card, const DeckStyle& style, int width, DeckRandom& random);

// The parts, each in card units with the origin in the card's centre.

/// One pip in the finish of the deck, upright, at the origin.
void draw_pip(const Canvas& canvas, Suit suit, double radius, const DeckStyle& style);
/// Ace to ten.
void draw_number(const Canvas& canvas, const Card& card, const DeckStyle& style, DeckRandom& random);
void draw_court(const Canvas& canvas, const Card& card, const DeckStyle& style, DeckRandom& random);
void draw_joker(const Canvas& canvas, const DeckStyle& style, DeckRandom& random);

/// A pip's place on a number card, in shares of the spread from the centre: x and y in [-1, 1].
std::vector<Point> pip_places(Rank rank);

}  // namespace cudacards
