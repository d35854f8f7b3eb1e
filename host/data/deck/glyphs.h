#pragma once
// Letters and digits of the corner indices: centre lines drawn with a pen. One set of lines makes many fonts: bold,
// light, contrasted, with or without serifs, slanted, condensed.

#include <string_view>

#include "host/data/deck/path.h"

namespace cudacards {

enum class Serifs { kNone, kSlab };

struct Font {
  Pen pen{14, 14};  // in hundredths of the letter's height
  Serifs serifs = Serifs::kNone;
  Caps caps = Caps::kButt;
  double width = 1;  // factor
  double slant = 0;  // sideways per unit of height
  bool flat_three = false;
};

/// Width of `text` with letters of height 1.
double text_width(std::string_view text, const Font& font);

/// Draws `text` (of "0123456789AEJKOQR") with its upper left corner at the origin of the canvas' units and letters of
/// height 1.
void draw_text(const Canvas& canvas, std::string_view text, const Font& font, const Colour& colour);

}  // namespace cudacards
