// The joker: one figure in motley, and the word in the corners.

#include "host/data/deck/face.h"

namespace cudacards {
namespace {

enum class Lettering { kStacked, kTurned, kBelow };

/// The word, in two corners or at the foot.
void draw_lettering(const Canvas& canvas, const DeckStyle& style, Lettering lettering, const Colour& colour) {
  const double height = style.index_height * 0.62;
  const Affine corner = Affine::translate(-50, -style.height / 2);
  for (const double turn : {0.0, 180.0}) {
    const Canvas at = canvas.within(Affine::rotate(turn) * corner);
    if (lettering == Lettering::kStacked) {
      double y = 5;
      for (const char* letter : {"J", "O", "K", "E", "R"}) {
        const double width = text_width(letter, style.font) * height;
        draw_text(at.within(Affine::translate(4 + height * 0.35 - width / 2 + 1, y) * Affine::scale(height, height)),
                  letter, style.font, colour);
        y += height * 1.2;
      }
    } else if (lettering == Lettering::kTurned) {
      const double length = text_width("JOKER", style.font) * height;
      draw_text(at.within(Affine::translate(4.5, 6 + length) * Affine::rotate(-90) * Affine::scale(height, height)),
                "JOKER", style.font, colour);
    }
  }
  if (lettering == Lettering::kBelow) {
    const double size = height * 1.3;
    const double width = text_width("JOKER", style.font) * size;
    draw_text(canvas.within(Affine::translate(-width / 2, style.height / 2 - size - 6) * Affine::scale(size, size)),
              "JOKER", style.font, colour);
  }
}

struct Motley {
  const Canvas& canvas;
  const DeckStyle& style;
  Colour left, right, trim;
};

Path reflected(Path path) { return transformed(Affine::scale(-1, 1), std::move(path)); }

void draw_halves(const Motley& m, const Path& left_side, double width = 1) {
  m.canvas.outlined(left_side, m.left, width, m.style.line);
  m.canvas.outlined(reflected(left_side), m.right, width, m.style.line);
}

void draw_bell(const Canvas& canvas, Point at, double radius, const DeckStyle& style) {
  canvas.outlined(circle(at, radius), style.metal, 0.7, style.line);
  canvas.fill(circle({at.x, at.y + radius * 0.35}, radius * 0.3), style.line);
}

/// Head and fool's cap around the origin, about 20 across.
void draw_head(const Motley& m) {
  const Canvas& c = m.canvas;
  const Colour& line = m.style.line;
  draw_halves(m, parse_path("M 0 -9 C -6 -12 -10 -9 -10 -3 C -12 -8 -16 -10 -19 -4 C -23 -14 -16 -22 0 -22 Z"));
  c.outlined(ellipse({0, 0}, 8.5, 10.5), m.style.skin, 0.9, line);
  c.outlined(parse_path("M -9 -4 C -9 -12 9 -12 9 -4 C 6 -7 -6 -7 -9 -4 Z"), m.trim, 0.9, line);
  c.outlined(parse_path("M -5 -11 C -4 -20 -2 -26 4 -30 C 5 -22 6 -17 5 -11 Z"), m.trim, 0.9, line);
  draw_bell(c, {-19, -3}, 2.2, m.style);
  draw_bell(c, {19, -3}, 2.2, m.style);
  draw_bell(c, {4.5, -31}, 2.2, m.style);
  for (const double x : {-3.4, 3.4}) {
    c.fill(ellipse({x, -1.6}, 1.1, 1.5), line);
    c.stroke(Path{{{{x - 1.8, -4.4}, {x, -5.2}, {x + 1.8, -4.4}}, Ends::kOpen}}, 0.7, line);
  }
  const Colour red{210, 60, 50};
  c.fill(circle({0, 1.6}, 1.6), mix(m.style.skin, red, 0.7));
  c.stroke(parse_path("M -5 3.4 C -3 7.6 3 7.6 5 3.4"), 1.2, mix(line, red, 0.5));
}

void draw_collar(const Motley& m, Point neck) {
  for (int i = -2; i <= 2; ++i) {
    const double x = neck.x + 5.0 * i;
    const Path point{{{{x - 3.4, neck.y - 2}, {x + 3.4, neck.y - 2}, {x + 0.6 * i, neck.y + 8}}, Ends::kClosed}};
    m.canvas.outlined(point, i % 2 == 0 ? m.trim : m.right, 0.8, m.style.line);
    draw_bell(m.canvas, {x + 0.6 * i, neck.y + 9}, 1.3, m.style);
  }
}

void draw_limb(const Canvas& canvas, const std::vector<Point>& joints, double width, const Colour& cloth,
               const DeckStyle& style) {
  const Path path{{joints, Ends::kOpen}};
  canvas.stroke(path, width + 1.6, style.line);
  canvas.stroke(path, width, cloth);
}

/// The whole fool, dancing.
void draw_dancer(const Motley& m, DeckRandom& random) {
  const Canvas& c = m.canvas;
  for (const double side : {-1.0, 1.0}) {
    const Colour& cloth = side < 0 ? m.right : m.left;
    const Point hip{side * 5, 20}, knee{side * random.uniform(7, 17), random.uniform(30, 36)};
    const Point foot{knee.x + side * random.uniform(-9, 6), knee.y + random.uniform(13, 17)};
    draw_limb(c, {hip, knee, foot}, 6, cloth, m.style);
    const Point toe{foot.x + side * 8, foot.y - 3};
    draw_limb(c, {foot, {foot.x + side * 5, foot.y + 1}, toe}, 3.6, m.trim, m.style);
    draw_bell(c, toe, 1.7, m.style);

    const Point shoulder{side * 9, -8}, elbow{side * random.uniform(17, 23), random.uniform(-8, 4)};
    const Point hand{elbow.x + side * random.uniform(-4, 7), elbow.y - random.uniform(-10, 15)};
    draw_limb(c, {shoulder, elbow, hand}, 5.2, side < 0 ? m.left : m.right, m.style);
    c.outlined(circle(hand, 3), m.style.skin, 0.8, m.style.line);
    if (side > 0 && random.chance(0.6)) {  // a bauble
      const Point top{hand.x + 3, hand.y - 16};
      c.stroke(Path{{{hand, top}, Ends::kOpen}}, 1.6, m.style.line);
      draw_bell(c, top, 3.4, m.style);
    }
  }
  draw_halves(m, parse_path("M 0 -12 L -11 -10 C -10 0 -8 8 -9 16 L -13 26 L -6 22 L 0 27 Z"));
  for (int i = 0; i < 3; ++i) draw_bell(c, {0, -1.0 + 8 * i}, 1.5, m.style);
}

/// Shoulders, for a joker without a body.
void draw_bust(const Motley& m) {
  draw_halves(m, parse_path("M 0 -13 C -14 -12 -24 -8 -28 14 L 0 14 Z"));
  for (const double y : {-4.0, 4.0}) {
    for (const double x : {-14.0, 14.0}) {
      m.canvas.outlined(transformed(Affine::translate(x, y), parse_path("M 0 -4 L 3 0 L 0 4 L -3 0 Z")), m.trim, 0.6,
                        m.style.line);
    }
  }
}

}  // namespace

void draw_joker(const Canvas& canvas, const DeckStyle& style, DeckRandom& random) {
  const int first = random.integer(0, 3);
  const bool dancing = random.chance(0.75);
  const double aside = random.uniform(-4, 4), lift = random.uniform(-6, 3) + (dancing ? 0 : 18);
  const double size = random.uniform(0.95, 1.3) * (dancing ? 1 : 1.3), facing = random.chance(0.5) ? 1 : -1;
  const Canvas figure = canvas.within(Affine::translate(aside, lift) * Affine::scale(facing * size, size));
  const Motley motley{figure, style, style.cloth[first], style.cloth[(first + 1) % 4], style.cloth[(first + 2) % 4]};
  if (dancing) {
    draw_dancer(motley, random);
  } else {
    draw_bust(motley);
  }
  draw_collar(motley, {0, -12});
  const Canvas head = figure.within(Affine::translate(0, -22) * Affine::rotate(random.uniform(-14, 14)));
  draw_head({head, style, motley.left, motley.right, motley.trim});

  const auto lettering = static_cast<Lettering>(random.integer(0, 2));
  const Suit ink = random.chance(0.5) ? Suit::kSpades : Suit::kHearts;
  draw_lettering(canvas, style, lettering, style.suit_colour[static_cast<int>(ink)]);
  // The suits, strewn about where no letters are.
  if (random.chance(0.3)) {
    static const Point kPlaces[kSuits] = {{24, -44}, {32, -30}, {-32, 30}, {-24, 44}};
    for (int suit = 0; suit < kSuits; ++suit) {
      const Affine turn = Affine::rotate(random.uniform(-30, 30));
      draw_pip(canvas.within(Affine::translate(kPlaces[suit].x, kPlaces[suit].y) * turn), static_cast<Suit>(suit), 4.5,
               style);
    }
  }
}

}  // namespace cudacards
