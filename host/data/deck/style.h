#pragma once
// What all cards of one deck have in common. Lengths are in card units: a card is 100 wide.

#include "host/data/deck/glyphs.h"
#include "host/data/deck/path.h"
#include "host/data/deck/random.h"
#include "host/data/deck/suits.h"

namespace cudacards {

enum class PaperKind { kPlain, kGrained, kLinen };
enum class IndexCorners { kTwo, kFour };
enum class IndexLayout { kPipBelow, kPipBeside, kLetterOnly };
enum class PipLayout { kHeadDown, kAllUpright };  // the pips of a card's lower half
enum class PipFinish { kFlat, kOutlined, kHollow };
enum class NumberArt { kPips, kOneLargePip, kEmblem };  // what a number card shows between its indices
enum class CourtArt { kFramedFigure, kBareFigure, kEmblem };
enum class BorderKind { kNone, kLine, kDoubleLine, kInnerFrame };

struct DeckStyle {
  double height = 140;
  double corner_radius = 6;
  Colour paper{255, 255, 255}, paper_far{255, 255, 255};  // a gradient from the upper left to the lower right
  PaperKind paper_kind = PaperKind::kPlain;
  Colour suit_colour[kSuits];
  Colour line{20, 20, 20};  // outlines of figures, frames

  SuitShapes suits;
  PipFinish pip_finish = PipFinish::kFlat;
  Colour pip_outline{0, 0, 0};
  PipLayout pip_layout = PipLayout::kHeadDown;
  double pip_radius = 9;
  double pip_spread_x = 20, pip_spread_y = 45;  // of the outermost pips from the centre
  NumberArt number_art = NumberArt::kPips;
  double ace_radius = 20;

  Font font;
  IndexCorners index_corners = IndexCorners::kTwo;
  IndexLayout index_layout = IndexLayout::kPipBelow;
  double index_height = 15, index_pip_radius = 5;
  Point index_place{9, 7};  // centre and top of the letter in the upper left corner

  BorderKind border = BorderKind::kNone;
  CourtArt court_art = CourtArt::kFramedFigure;
  Colour cloth[4];                                                         // of the court's robes, the joker's motley
  Colour skin{250, 225, 200}, metal{240, 200, 60}, ground{255, 255, 255};  // ground: behind a framed figure
  double court_half_width = 32, court_half_height = 55;
};

DeckStyle draw_style(DeckRandom& random);

}  // namespace cudacards
