// Jack, queen, king: a two-headed figure. The upper half is drawn, the lower half is its copy turned by 180 degrees.

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/data/deck/face.h"

namespace cudacards {
namespace {

constexpr double kThin = 0.9, kOutline = 1.2;  // in the figure's units: half of the frame is 50 wide and 70 high

// Outlines around the figure's neck at (0, -30): the left half where they are drawn on both sides.
constexpr const char* kRobe = "M 0 12 L -50 12 L -47 -12 C -43 -24 -28 -29 -8 -31 L 0 -31 Z";
constexpr const char* kLongHair = "M 0 -60 C -17 -60 -18 -44 -19 -34 C -20 -28 -16 -25 -11 -27 L -8 -40 L 0 -50 Z";
constexpr const char* kCurledHair =
    "M 0 -58 C -14 -58 -14 -46 -15 -38 C -16 -32 -21 -32 -20 -36 C -22 -27 -13 -27 -10 -32 L -7 -40 L 0 -50 Z";
constexpr const char* kErmine = "M 0 -24 C -10 -22 -20 -22 -25 -26 L -20 -34 L 0 -32 Z";
constexpr const char* kLapel = "M 0 -23 L -15 -27 L -12 -34 L 0 -31 Z";
constexpr const char* kBeard = "M 0 -34 L -3.5 -37.5 L -9.6 -43 C -11 -30 -8 -24 0 -19 Z";
constexpr const char* kMoustache = "M -6 -36.5 C -3 -39 -1 -38.5 0 -37.6 C 1 -38.5 3 -39 6 -36.5";
constexpr const char* kKingsCrown = "M -13 -53 L -17 -68 L -8.5 -61 L 0 -70 L 8.5 -61 L 17 -68 L 13 -53 Z";
constexpr const char* kQueensCrown =
    "M -11 -53 L -14 -61 C -10 -61 -8 -60 -7 -58 C -6 -64 -3 -66 0 -67 "
    "C 3 -66 6 -64 7 -58 C 8 -60 10 -61 14 -61 L 11 -53 Z";
constexpr const char* kCap = "M -13 -51 L -16 -60 C -8 -67 8 -67 16 -60 L 13 -51 Z";
constexpr const char* kFeather = "M 8 -56 C 14 -68 22 -68 27 -60 C 23 -63 17 -62 12 -54 Z";

enum class Motif { kDots, kLozenges, kStripes, kPips };  // on the bands of the sleeves
enum class Front { kButtons, kChevrons, kLozenges };     // of the robe

struct Figure {
  const Canvas& canvas;
  const DeckStyle& style;
  DeckRandom& random;
  Card card;
  double side;  // +1: what the figure holds is at its right edge, the large pip at the left; -1: the other way
  Colour robe, trim, lining, hair;
};

Path reflected(Path path) { return transformed(Affine::scale(-1, 1), std::move(path)); }

void draw_both_sides(const Figure& f, const Path& path, const Colour& inside, double width = kOutline) {
  f.canvas.outlined(path, inside, width, f.style.line);
  f.canvas.outlined(reflected(path), inside, width, f.style.line);
}

void draw_robe(const Figure& f) {
  const Canvas& c = f.canvas;
  draw_both_sides(f, parse_path(kRobe), f.robe);
  // Bands along the sleeves, beads upon them.
  const int bands = f.random.integer(1, 4);
  const auto motif = static_cast<Motif>(f.random.integer(0, 3));
  for (int band = 0; band < bands; ++band) {
    const double inset = 0.86 - 0.19 * band;
    const Path sleeve = transformed(Affine::translate(0, 8) * Affine::scale(inset, inset * 0.98),
                                    parse_path("M -46 6 C -47 -14 -34 -29 -10 -36"));
    const Colour& cloth = band % 2 == 0 ? f.trim : f.lining;
    for (const Path& path : {sleeve, reflected(sleeve)}) {
      c.stroke(path, 5.4, f.style.line);
      c.stroke(path, 4.2, cloth);
      const auto& points = path.front().points;
      for (std::size_t i = 1; i + 1 < points.size(); i += motif == Motif::kPips ? 3 : 2) {
        const Canvas bead = c.within(Affine::translate(points[i].x, points[i].y));
        switch (motif) {
          case Motif::kDots:
            bead.fill(circle({0, 0}, 1.3), f.robe);
            break;
          case Motif::kLozenges:
            bead.fill(suit_outline(Suit::kDiamonds, f.style.suits), f.style.line);
            break;
          case Motif::kStripes:
            bead.stroke(parse_path("M -1.6 -1.6 L 1.6 1.6"), 0.9, f.style.line);
            break;
          case Motif::kPips:
            draw_pip(bead, f.card.suit, 2, f.style);
            break;
        }
      }
    }
  }
}

void draw_robe_front(const Figure& f) {
  f.canvas.outlined(parse_path("M -9 -32 L 9 -32 L 15 12 L -15 12 Z"), f.lining, kOutline, f.style.line);
  const auto front = static_cast<Front>(f.random.integer(0, 2));
  for (int i = 0; i < 5; ++i) {
    const Canvas here = f.canvas.within(Affine::translate(0, -24 + 6.5 * i));
    switch (front) {
      case Front::kButtons:
        here.outlined(circle({0, 0}, 2.2), f.style.metal, kThin, f.style.line);
        break;
      case Front::kChevrons:
        here.stroke(parse_path("M -11 -3 L 0 3 L 11 -3"), 1.8, f.trim);
        break;
      case Front::kLozenges:
        here.outlined(parse_path("M 0 -3.2 L 5 0 L 0 3.2 L -5 0 Z"), f.trim, kThin, f.style.line);
        break;
    }
  }
}

void draw_collar(const Figure& f) {
  switch (f.card.rank) {
    case Rank::kQueen:
      for (int i = -4; i <= 4; ++i) {  // a ruff
        f.canvas.outlined(circle({i * 3.6, -28.5 + 0.22 * i * i}, 3), f.style.paper, kThin, f.style.line);
      }
      break;
    case Rank::kKing:  // ermine
      draw_both_sides(f, parse_path(kErmine), f.style.paper);
      for (int i = -3; i <= 3; ++i) f.canvas.fill(ellipse({i * 6.0, -27}, 0.8, 1.8), f.style.line);
      break;
    default:
      draw_both_sides(f, parse_path(kLapel), f.trim);
      break;
  }
}

void draw_hair(const Figure& f) {
  draw_both_sides(f, parse_path(f.card.rank == Rank::kQueen ? kLongHair : kCurledHair), f.hair);
  for (const double x : {-15.5, -12.5, 12.5, 15.5}) {
    f.canvas.stroke(Path{{{{x * 0.9, -48}, {x, -33}}, Ends::kOpen}}, 0.6, f.style.line);
  }
}

void draw_head(const Figure& f) {
  const Canvas& c = f.canvas;
  const Colour& line = f.style.line;
  c.outlined(parse_path("M -5 -36 L 5 -36 L 6 -27 L -6 -27 Z"), f.style.skin, kThin, line);
  c.outlined(ellipse({0, -43}, 9.5, 12), f.style.skin, kThin, line);
  // Looking a little to one side.
  const double look = f.side * -2.2;
  for (const double eye : {-4.0, 4.0}) {
    c.stroke(Path{{{{eye + look - 2, -46}, {eye + look, -47.2}, {eye + look + 2, -46}}, Ends::kOpen}}, 0.9, line);
    c.fill(circle({eye + look, -44.6}, 1.05), line);
  }
  c.stroke(Path{{{{look - 0.5 * f.side, -45}, {look - 2 * f.side, -40}, {look, -39.6}}, Ends::kOpen}}, 0.8, line);
  c.stroke(Path{{{{look - 2.4, -36.4}, {look, -35.8}, {look + 2.4, -36.4}}, Ends::kOpen}}, 1.3,
           mix(f.style.skin, f.style.suit_colour[static_cast<int>(Suit::kHearts)], 0.8));
  if (f.card.rank == Rank::kKing) {
    draw_both_sides(f, parse_path(kBeard), f.hair, kThin);
    c.stroke(parse_path(kMoustache), 1.7, f.hair);
    for (const double x : {-4.0, 0.0, 4.0}) c.stroke(Path{{{{x, -31}, {x * 0.6, -23}}, Ends::kOpen}}, 0.6, line);
  }
}

void draw_headgear(const Figure& f) {
  const Canvas& c = f.canvas;
  const Colour& line = f.style.line;
  switch (f.card.rank) {
    case Rank::kKing:
      c.outlined(parse_path(kKingsCrown), f.style.metal, kOutline, line);
      for (const double x : {-16.5, 0.0, 16.5}) {
        c.outlined(circle({x, x == 0 ? -69.0 : -67.0}, 1.8), f.trim, kThin, line);
      }
      c.outlined(parse_path("M -13.5 -56 L 13.5 -56 L 13 -51 L -13 -51 Z"), f.robe, kThin, line);
      for (const double x : {-8.0, 0.0, 8.0}) c.fill(circle({x, -53.5}, 1.3), f.style.metal);
      break;
    case Rank::kQueen:
      c.outlined(parse_path(kQueensCrown), f.style.metal, kOutline, line);
      for (const double x : {-13.5, -6.5, 0.0, 6.5, 13.5}) {
        c.outlined(circle({x, x == 0 ? -67.5 : -61.5}, 1.6), f.style.paper, kThin, line);
      }
      c.fill(circle({0, -57}, 1.8), f.trim);
      break;
    default: {
      c.outlined(parse_path(kCap), f.robe, kOutline, line);
      c.stroke(parse_path("M -13.5 -53 L 13.5 -53"), 3.6, line);
      c.stroke(parse_path("M -13.5 -53 L 13.5 -53"), 2.4, f.trim);
      const Path feather = transformed(Affine::scale(f.side, 1), parse_path(kFeather));
      c.outlined(feather, f.lining, kThin, line);
      break;
    }
  }
}

void draw_attribute(const Figure& f) {
  const Canvas c = f.canvas.within(Affine::translate(f.side * f.random.uniform(29, 34), 0) * Affine::scale(f.side, 1));
  const Colour& line = f.style.line;
  switch (f.card.rank) {
    case Rank::kKing:
      if (f.random.chance(0.6)) {  // a sword
        c.outlined(parse_path("M -1.8 -30 L -1.8 -62 L 0 -67 L 1.8 -62 L 1.8 -30 Z"), f.style.paper, kThin, line);
        c.outlined(parse_path("M -7 -31 L 7 -31 L 7 -28 L -7 -28 Z"), f.style.metal, kThin, line);
      } else {  // a sceptre
        c.stroke(parse_path("M 0 -16 L 0 -56"), 2.6, line);
        c.stroke(parse_path("M 0 -16 L 0 -56"), 1.5, f.style.metal);
        c.outlined(circle({0, -59}, 4), f.style.metal, kThin, line);
        c.stroke(parse_path("M 0 -63 L 0 -69 M -3 -66 L 3 -66"), 1.5, line);
      }
      break;
    case Rank::kQueen: {  // a flower
      c.stroke(parse_path("M 0 -20 C 2 -32 -3 -40 0 -50"), 1.4, Colour{50, 110, 50});
      const int petals = f.random.integer(4, 6);
      for (int i = 0; i < petals; ++i) {
        const Point at = Affine::rotate(360.0 * i / petals)({0, -3.6});
        c.outlined(circle({at.x, at.y - 52}, 2.9), f.robe, 0.6, line);
      }
      c.fill(circle({0, -52}, 2.2), f.style.metal);
      break;
    }
    default:
      if (f.random.chance(0.6)) {  // a halberd
        c.stroke(parse_path("M 0 8 L 0 -66"), 2.6, line);
        c.stroke(parse_path("M 0 8 L 0 -66"), 1.4, f.trim);
        c.outlined(parse_path("M -1 -60 C 6 -62 9 -58 10 -52 C 6 -54 3 -52 -1 -50 Z"), f.style.paper, kThin, line);
      } else {  // a leaf
        c.stroke(parse_path("M 0 -14 L 0 -38"), 1.3, line);
        c.outlined(parse_path("M 0 -36 C -8 -44 -6 -54 0 -61 C 6 -54 8 -44 0 -36 Z"), f.trim, kThin, line);
      }
  }
  c.outlined(circle({0, -21}, 4.2), f.style.skin, kThin, line);
  c.stroke(parse_path("M -3 -22.5 L 2 -22.5 M -3 -20 L 2 -20"), 0.6, line);
}

/// What the rank wears, large, above a large pip: courts of plain decks.
void draw_emblem(const Figure& f) {
  const Canvas larger = f.canvas.within(Affine::translate(0, 58) * Affine::scale(1.5, 1.5));
  draw_headgear({larger, f.style, f.random, f.card, f.side, f.robe, f.trim, f.lining, f.hair});
  draw_pip(f.canvas.within(Affine::translate(0, -11)), f.card.suit, 8, f.style);
}

void draw_figure(const Figure& f) {
  draw_hair(f);
  draw_robe(f);
  draw_robe_front(f);
  draw_collar(f);
  draw_head(f);
  draw_headgear(f);
  draw_attribute(f);
}

/// Copies the upper half of the box, turned by 180 degrees about its centre, over the lower half. The halves meet on a
/// line through the centre that rises by `slope`.
void repeat_upside_down(cv::Mat& image, const cv::Rect& box, double slope) {
  for (int y = 0; y < box.height; ++y) {
    for (int x = 0; x < box.width; ++x) {
      const double below = 2 * y - (box.height - 1) + slope * (2 * x - (box.width - 1));
      if (below <= 0) continue;
      image.at<cv::Vec3b>(box.y + y, box.x + x) =
          image.at<cv::Vec3b>(box.y + box.height - 1 - y, box.x + box.width - 1 - x);
    }
  }
}

/// The pixels inside the box of these half sizes around the canvas' origin; symmetric about the picture's centre, where
/// the origin is.
cv::Rect centred_box(const Canvas& canvas, double half_width, double half_height) {
  const cv::Mat& image = canvas.image();
  const Point low = canvas.transform()({-half_width, -half_height});
  const int left = std::max(0, static_cast<int>(std::floor(low.x)));
  const int top = std::max(0, static_cast<int>(std::floor(low.y)));
  return {left, top, image.cols - 2 * left, image.rows - 2 * top};
}

}  // namespace

void draw_court(const Canvas& canvas, const Card& card, const DeckStyle& style, DeckRandom& random) {
  const double half_width = style.court_half_width, half_height = style.court_half_height;
  const cv::Rect box = centred_box(canvas, half_width, half_height);
  cv::Mat picture = canvas.image()(box);
  const Affine into_box = Affine::translate(-box.x, -box.y) * canvas.transform();
  const Canvas inside(picture, into_box * Affine::scale(half_width / 50, half_height / 71));

  const bool framed = style.court_art == CourtArt::kFramedFigure;
  if (framed) inside.fill(rounded_rectangle({-60, -80}, {60, 80}, 1), style.ground);

  static constexpr Colour kHair[] = {{244, 214, 90}, {240, 240, 236}, {120, 70, 30},
                                     {60, 40, 30},   {206, 160, 70},  {250, 234, 160}};
  const int first = random.integer(0, 2);
  const double side = random.chance(0.5) ? 1 : -1;
  const Figure figure{inside,
                      style,
                      random,
                      card,
                      side,
                      style.cloth[first],
                      style.cloth[(first + 1) % 4],
                      style.cloth[(first + 2) % 4],
                      random.pick(kHair)};
  const double slope = style.court_art == CourtArt::kEmblem || random.chance(0.5) ? 0 : random.uniform(-0.5, 0.5);
  if (style.court_art == CourtArt::kEmblem) {
    draw_emblem(figure);
  } else {
    draw_figure(figure);
    const double radius = random.uniform(7, 10.5);
    // As round as on the rest of the card, though the figure is stretched to its frame.
    const double upright = (half_width / 50) / (half_height / 71);
    const Affine place =
        Affine::translate(-side * (47 - radius), -68 + radius * upright * 1.1) * Affine::scale(1, upright);
    draw_pip(inside.within(place), card.suit, radius, style);
  }
  repeat_upside_down(picture, {0, 0, picture.cols, picture.rows}, slope);
  if (framed) {
    const Point high{half_width, half_height};
    canvas.stroke(rounded_rectangle(-high, high, 0.8), 1.2, style.line);
  }
}

}  // namespace cudacards
