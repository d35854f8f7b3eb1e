#include "host/data/deck/glyphs.h"

#include <algorithm>
#include <string>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

/// Centre lines in a box 100 high; `serifs` are the ends of strokes that carry one.
struct Glyph {
  char letter;
  double width;
  const char* lines;
  std::initializer_list<Point> serifs;
};

constexpr double kSerifReach = 11;  // to each side of the stroke's centre, beside half the pen
constexpr double kSpacing = 12;     // between letters

// clang-format off
const Glyph kGlyphs[] = {
    {'A', 64, "M 8 95 L 32 5 L 56 95 M 17 64 L 47 64", {{8, 95}, {56, 95}}},
    {'2', 60, "M 9 30 C 9 -3 52 -3 52 29 C 52 52 18 68 9 93 L 53 93", {}},
    {'3', 60, "M 9 24 C 12 -1 50 -2 50 26 C 50 42 38 47 24 47 C 40 47 53 54 53 71 C 53 101 12 101 7 74", {}},
    {'4', 62, "M 43 95 L 43 7 L 7 68 L 57 68", {{43, 95}}},
    {'5', 60, "M 50 7 L 15 7 L 12 46 C 24 32 53 36 53 66 C 53 102 14 102 7 77", {}},
    {'6', 60, "M 48 19 C 40 -2 8 -2 8 56 C 8 106 53 104 53 67 C 53 34 16 34 9 60", {}},
    {'7', 58, "M 7 7 L 52 7 C 38 32 24 60 22 95", {}},
    {'8', 60, "M 30 46 C 6 45 6 6 30 6 C 54 6 54 45 30 46 C 1 47 1 94 30 94 C 59 94 59 47 30 46", {}},
    {'9', 60, "M 12 81 C 20 102 52 102 52 44 C 52 -6 7 -4 7 33 C 7 66 44 66 51 40", {}},
    {'1', 32, "M 4 22 L 17 7 L 17 95", {{17, 95}}},
    {'0', 60, "M 30 6 C 50 6 53 30 53 50 C 53 70 50 94 30 94 C 10 94 7 70 7 50 C 7 30 10 6 30 6 Z", {}},
    {'J', 54, "M 42 5 L 42 68 C 42 102 8 102 7 72", {{42, 5}}},
    {'Q', 66, "M 32 6 C 54 6 58 30 58 50 C 58 70 54 94 32 94 C 10 94 6 70 6 50 C 6 30 10 6 32 6 Z M 34 70 L 60 98", {}},
    {'K', 64, "M 12 5 L 12 95 M 54 5 L 13 59 M 26 43 L 56 95", {{12, 5}, {12, 95}, {54, 5}, {56, 95}}},
    {'O', 66, "M 33 6 C 54 6 58 30 58 50 C 58 70 54 94 33 94 C 10 94 7 70 7 50 C 7 30 10 6 33 6 Z", {}},
    {'E', 56, "M 50 7 L 11 7 L 11 93 L 50 93 M 11 49 L 43 49", {}},
    {'R', 62, "M 11 95 L 11 7 L 30 7 C 58 7 58 52 30 52 L 11 52 M 30 52 L 55 95", {{11, 95}, {55, 95}}},
};
// clang-format on
constexpr const char* kFlatThree = "M 9 7 L 50 7 L 27 42 C 42 40 53 52 53 69 C 53 101 12 101 7 74";

const Glyph& glyph_of(char letter) {
  for (const Glyph& glyph : kGlyphs) {
    if (glyph.letter == letter) return glyph;
  }
  CUDACARDS_CHECK(false, std::string("no glyph for ") + letter);
  return kGlyphs[0];
}

}  // namespace

double text_width(std::string_view text, const Font& font) {
  double width = -kSpacing;
  for (const char letter : text) width += glyph_of(letter).width + kSpacing;
  return width / 100 * font.width;
}

void draw_text(const Canvas& canvas, std::string_view text, const Font& font, const Colour& colour) {
  double x = 0;
  for (const char letter : text) {
    const Glyph& glyph = glyph_of(letter);
    const Affine place = Affine::shear(-font.slant) * Affine::scale(font.width / 100, 0.01) * Affine::translate(x, 0);
    const Canvas inside = canvas.within(place);
    // The pen keeps its width where the letters are condensed.
    const Pen pen{font.pen.width_x / font.width, font.pen.width_y};
    inside.stroke(parse_path(letter == '3' && font.flat_three ? kFlatThree : glyph.lines), pen, colour, font.caps);
    if (font.serifs == Serifs::kSlab) {
      const double reach = kSerifReach + pen.width_x / 2;
      for (const Point& foot : glyph.serifs) {
        const Path bar{{{{foot.x - reach, foot.y}, {foot.x + reach, foot.y}}, Ends::kOpen}};
        inside.stroke(bar, Pen{pen.width_y, std::min(pen.width_y, 9.0)}, colour, Caps::kButt);
      }
    }
    x += glyph.width + kSpacing;
  }
}

}  // namespace cudacards
