#include "host/data/deck/style.h"

#include <algorithm>

namespace cudacards {
namespace {

constexpr Colour kWhite{255, 255, 255}, kNearBlack{22, 20, 24};

Colour jitter(DeckRandom& random, const Colour& colour, double amount) {
  auto moved = [&](double value) { return std::clamp(value + random.uniform(-amount, amount), 0.0, 255.0); };
  const double r = moved(colour.r), g = moved(colour.g);
  return {r, g, moved(colour.b)};
}

enum class FontKind { kGrotesque, kLight, kContrasted, kSlab, kPoster };
enum class Ink { kOnLight, kFourColours, kOnDark, kMetalOnDark };

void draw_paper(DeckRandom& random, DeckStyle& style, Ink ink) {
  const bool dark = ink == Ink::kOnDark || ink == Ink::kMetalOnDark;
  if (dark) {
    static constexpr Colour kDark[] = {{18, 18, 20}, {30, 26, 24}, {16, 24, 44}, {50, 14, 18}, {12, 40, 30}};
    style.paper = jitter(random, random.pick(kDark), 8);
  } else if (random.chance(0.62)) {
    style.paper = kWhite;
  } else {
    static constexpr Colour kLight[] = {{250, 248, 240}, {244, 234, 208}, {228, 228, 232}, {240, 222, 190},
                                        {226, 200, 160}, {214, 232, 240}, {246, 216, 206}, {208, 205, 200}};
    style.paper = jitter(random, random.pick(kLight), 7);
  }
  style.paper_far = random.chance(0.2)
                        ? mix(style.paper, dark ? kWhite : Colour{120, 120, 140}, random.uniform(0.05, 0.25))
                        : style.paper;
  if (random.chance(0.25)) style.paper_kind = random.chance(0.5) ? PaperKind::kGrained : PaperKind::kLinen;
}

void draw_ink(DeckRandom& random, DeckStyle& style, Ink ink) {
  static constexpr Colour kReds[] = {{222, 20, 30}, {200, 24, 36}, {170, 26, 36},
                                     {238, 40, 34}, {255, 0, 0},   {228, 84, 66}};
  static constexpr Colour kBlacks[] = {{0, 0, 0}, {18, 18, 20}, {36, 34, 34}, {20, 24, 50}, {60, 58, 56}};
  const Colour red = jitter(random, random.pick(kReds), 6);
  const Colour black = jitter(random, random.pick(kBlacks), 4);
  Colour* colour = style.suit_colour;
  auto set = [&](const Colour& clubs, const Colour& diamonds, const Colour& hearts, const Colour& spades) {
    colour[static_cast<int>(Suit::kClubs)] = clubs;
    colour[static_cast<int>(Suit::kDiamonds)] = diamonds;
    colour[static_cast<int>(Suit::kHearts)] = hearts;
    colour[static_cast<int>(Suit::kSpades)] = spades;
  };
  switch (ink) {
    case Ink::kOnLight:
      set(black, red, red, black);
      break;
    case Ink::kFourColours: {
      const Colour green = jitter(random, {14, 120, 50}, 12), blue = jitter(random, {24, 70, 190}, 14);
      set(green, blue, red, black);
      break;
    }
    case Ink::kOnDark: {
      const Colour pale = jitter(random, {228, 228, 226}, 14), glow = jitter(random, {214, 34, 44}, 14);
      set(pale, glow, glow, pale);
      break;
    }
    case Ink::kMetalOnDark: {
      const Colour gold = jitter(random, {214, 172, 96}, 16);
      set(gold, gold, gold, gold);
      break;
    }
  }
  const bool dark = ink == Ink::kOnDark || ink == Ink::kMetalOnDark;
  style.line = dark                 ? mix(style.suit_colour[0], style.paper, 0.2)
               : random.chance(0.3) ? jitter(random, {20, 40, 120}, 14)
                                    : kNearBlack;
  style.pip_outline = mix(style.line, style.paper, random.uniform(0, 0.4));
}

void draw_pips(DeckRandom& random, DeckStyle& style) {
  style.suits = {random.uniform(0, 1), random.chance(0.5) ? 0 : random.uniform(0, 1), random.uniform(0, 1),
                 random.uniform(0, 1)};
  const double finish = random.uniform(0, 1);
  style.pip_finish = finish < 0.84 ? PipFinish::kFlat : finish < 0.94 ? PipFinish::kOutlined : PipFinish::kHollow;
  if (random.chance(0.12)) style.pip_layout = PipLayout::kAllUpright;
  const double half = style.height / 2;
  if (style.border == BorderKind::kInnerFrame) {
    style.pip_radius = random.uniform(6, 7.5);
    style.pip_spread_x = random.uniform(15, 20);
    style.pip_spread_y = half * random.uniform(0.50, 0.60);
  } else {
    style.pip_radius = random.uniform(7.5, 10.5);
    style.pip_spread_x = random.uniform(17, 25);
    style.pip_spread_y = half * random.uniform(0.58, 0.74);
  }
  style.ace_radius = random.chance(0.25) ? random.uniform(9, 14) : random.uniform(15, 32);
  const double art = random.uniform(0, 1);
  style.number_art = art < 0.92 ? NumberArt::kPips : art < 0.96 ? NumberArt::kOneLargePip : NumberArt::kEmblem;
}

void draw_index(DeckRandom& random, DeckStyle& style) {
  Font& font = style.font;
  static constexpr double kFontShares[] = {0.30, 0.12, 0.26, 0.20, 0.12};
  switch (static_cast<FontKind>(random.weighted(kFontShares))) {
    case FontKind::kGrotesque:
      font.pen = {random.uniform(12, 17), random.uniform(10, 14)};
      break;
    case FontKind::kLight:
      font.pen = {random.uniform(7, 10), 8};
      font.caps = Caps::kRound;
      break;
    case FontKind::kContrasted:
      font.pen = {random.uniform(14, 20), random.uniform(5, 8)};
      font.serifs = Serifs::kSlab;
      break;
    case FontKind::kSlab:
      font.pen = {random.uniform(11, 16), random.uniform(9, 12)};
      font.serifs = Serifs::kSlab;
      break;
    case FontKind::kPoster:
      font.pen = {random.uniform(18, 22), random.uniform(12, 15)};
      break;
  }
  font.width = random.uniform(0.78, 1.12);
  if (random.chance(0.1)) font.slant = random.uniform(0.06, 0.18);
  font.flat_three = random.chance(0.3);

  const double large = random.uniform(0, 1);
  style.index_height = large < 0.12  ? random.uniform(20, 27)
                       : large < 0.3 ? random.uniform(9, 12)
                                     : random.uniform(12, 19);
  style.index_pip_radius = style.index_height * random.uniform(0.28, 0.42);
  if (random.chance(0.15)) style.index_corners = IndexCorners::kFour;
  const double layout = random.uniform(0, 1);
  style.index_layout = layout < 0.95    ? IndexLayout::kPipBelow
                       : layout < 0.985 ? IndexLayout::kPipBeside
                                        : IndexLayout::kLetterOnly;
  style.index_place = {4 + style.index_height * random.uniform(0.34, 0.42), random.uniform(4, 8)};
}

/// Moves the pips away from the indices, as far as they would cover each other.
void clear_indices(DeckStyle& style) {
  const double half_letter = text_width("4", style.font) / 2 * style.index_height;
  const double beside = style.index_layout == IndexLayout::kPipBeside ? half_letter + 2.3 * style.index_pip_radius : 0;
  const double column = style.index_place.x + std::max({half_letter, beside, style.index_pip_radius});
  style.pip_radius = std::min(style.pip_radius, (50 - column) * 0.26);
  const double least = style.pip_radius * 1.6;
  style.pip_spread_x = std::clamp(style.pip_spread_x, least, std::max(50.5 - column - style.pip_radius, least));
}

void draw_court_style(DeckRandom& random, DeckStyle& style, Ink ink) {
  static constexpr Colour kPalettes[][4] = {
      {{214, 30, 36}, {246, 204, 40}, {30, 60, 160}, {20, 20, 24}},     // the classic four
      {{200, 34, 40}, {250, 214, 70}, {24, 24, 28}, {250, 250, 246}},   // red, yellow, black
      {{130, 24, 50}, {220, 180, 90}, {20, 96, 100}, {240, 230, 210}},  // wine, gold, teal
      {{40, 110, 180}, {236, 120, 40}, {240, 220, 120}, {30, 50, 70}},
      {{70, 130, 60}, {240, 220, 80}, {190, 40, 40}, {240, 236, 220}},
      {{90, 70, 140}, {220, 160, 190}, {250, 230, 160}, {50, 40, 70}},
  };
  const auto& palette = random.pick(kPalettes);
  const bool drawing = random.chance(0.15);  // lines alone, no colours
  for (int i = 0; i < 4; ++i) {
    style.cloth[i] =
        drawing ? (i % 2 == 0 ? style.paper : mix(style.paper, style.line, 0.75)) : jitter(random, palette[i], 14);
  }
  style.skin = drawing ? style.paper : jitter(random, {250, 226, 204}, 10);
  style.metal = drawing ? style.paper : jitter(random, {240, 200, 60}, 16);
  style.ground = random.chance(0.75) ? style.paper : jitter(random, {246, 232, 190}, 14);
  if (ink == Ink::kOnDark || ink == Ink::kMetalOnDark) style.skin = jitter(random, {236, 214, 190}, 10);
  const double art = random.uniform(0, 1);
  style.court_art = art < 0.66 ? CourtArt::kFramedFigure : art < 0.90 ? CourtArt::kBareFigure : CourtArt::kEmblem;
  // The lower half of a figure brings its paper along: without a frame the paper must be even.
  if (style.court_art != CourtArt::kFramedFigure) style.paper_far = style.paper;
  style.court_half_width = random.uniform(29, 36);
  style.court_half_height = style.height / 2 * random.uniform(0.74, 0.87);
}

}  // namespace

DeckStyle draw_style(DeckRandom& random) {
  DeckStyle style;
  static constexpr double kInks[] = {0.89, 0.03, 0.05, 0.03};
  const Ink ink = static_cast<Ink>(random.weighted(kInks));
  style.height = random.uniform(136, 156);  // from poker to bridge size
  style.corner_radius = random.chance(0.15) ? 0.5 : random.uniform(3, 9);
  static constexpr double kBorders[] = {0.66, 0.16, 0.06, 0.12};
  style.border = static_cast<BorderKind>(random.weighted(kBorders));
  draw_paper(random, style, ink);
  draw_ink(random, style, ink);
  draw_pips(random, style);
  draw_index(random, style);
  clear_indices(style);
  draw_court_style(random, style, ink);
  return style;
}

}  // namespace cudacards
