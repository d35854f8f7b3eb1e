#include "host/data/deck/face.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

void fill_paper(cv::Mat& face, const DeckStyle& style, DeckRandom& random) {
  const std::uint32_t grain = random.word();
  for (int y = 0; y < face.rows; ++y) {
    auto* row = face.ptr<cv::Vec3b>(y);
    for (int x = 0; x < face.cols; ++x) {
      const double share = 0.5 * x / face.cols + 0.5 * y / face.rows;
      const Colour colour = mix(style.paper, style.paper_far, share);
      double texture = 0;
      if (style.paper_kind == PaperKind::kLinen) texture = ((x / 2 + y / 2) % 2 == 0 ? 4 : -4);
      if (style.paper_kind == PaperKind::kGrained) {
        // An integer hash of the place; quality matters little here.
        const std::uint32_t h =
            (static_cast<std::uint32_t>(x / 2) * 0x9E3779B1u ^ static_cast<std::uint32_t>(y / 2) * 0x85EBCA77u) + grain;
        texture = static_cast<double>((h ^ h >> 15) * 0x2C1B3C6Du >> 28) - 7.5;
      }
      row[x] = {to_byte(colour.r + texture), to_byte(colour.g + texture), to_byte(colour.b + texture)};
    }
  }
}

void draw_border(const Canvas& canvas, Rank rank, const DeckStyle& style) {
  const Point corner{50, style.height / 2};
  auto frame = [&](double inset, double width) {
    const Point high{corner.x - inset, corner.y - inset};
    canvas.stroke(rounded_rectangle(-high, high, std::max(style.corner_radius - inset, 0.5)), width, style.line);
  };
  switch (style.border) {
    case BorderKind::kNone:
      break;
    case BorderKind::kLine:
      frame(0.9, 1.2);
      break;
    case BorderKind::kDoubleLine:
      frame(0.7, 0.9);
      frame(2.4, 0.6);
      break;
    case BorderKind::kInnerFrame: {
      if (rank >= Rank::kJack) break;  // figures have frames of their own
      const Point high{style.pip_spread_x + style.pip_radius + 3.5, style.pip_spread_y + style.pip_radius + 4};
      canvas.stroke(rounded_rectangle(-high, high, 2.5), 0.9, style.line);
      break;
    }
  }
}

enum class Column { kLeft, kRight };

void draw_index(const Canvas& corner, Column column, const Card& card, const DeckStyle& style) {
  const char* text = index_text(card.rank);
  const Colour& colour = style.suit_colour[static_cast<int>(card.suit)];
  const double height = style.index_height;
  // Two digits take less than twice the room of one.
  const double natural = text_width(text, style.font);
  const double squeeze = std::min(1.0, 0.92 / natural);
  Font font = style.font;
  font.width *= squeeze;
  font.pen.width_x *= std::sqrt(squeeze);
  const double width = text_width(text, font) * height;
  const double inset = std::max(style.index_place.x, width / 2 + 3);
  const Point place{column == Column::kLeft ? inset : 100 - inset, style.index_place.y};
  draw_text(corner.within(Affine::translate(place.x - width / 2, place.y) * Affine::scale(height, height)), text, font,
            colour);
  const double radius = style.index_pip_radius;
  if (style.index_layout == IndexLayout::kPipBelow) {
    draw_pip(corner.within(Affine::translate(place.x, place.y + height + radius * 1.35)), card.suit, radius, style);
  } else if (style.index_layout == IndexLayout::kPipBeside) {
    draw_pip(corner.within(Affine::translate(place.x + width / 2 + radius * 1.4, place.y + height / 2)), card.suit,
             radius, style);
  }
}

void draw_indices(const Canvas& canvas, const Card& card, const DeckStyle& style) {
  const Affine upper_left = Affine::translate(-50, -style.height / 2);
  for (const double turn : {0.0, 180.0}) {
    const Canvas corner = canvas.within(Affine::rotate(turn) * upper_left);
    draw_index(corner, Column::kLeft, card, style);
    if (style.index_corners == IndexCorners::kFour) draw_index(corner, Column::kRight, card, style);
  }
}

}  // namespace

const char* index_text(Rank rank) {
  static constexpr const char* kTexts[] = {"",  "A", "2",  "3", "4", "5", "6",    "7",
                                           "8", "9", "10", "J", "Q", "K", "JOKER"};
  return kTexts[static_cast<int>(rank)];
}

cv::Mat draw_face(const Card& card, const DeckStyle& style, int width, DeckRandom& random) {
  const double unit = width / 100.0;
  cv::Mat face(static_cast<int>(std::lround(style.height * unit)), width, CV_8UC3);
  fill_paper(face, style, random);
  // The filler counts from the centre of the first pixel.
  const Canvas canvas(face,
                      Affine::translate((face.cols - 1) / 2.0, (face.rows - 1) / 2.0) * Affine::scale(unit, unit));
  draw_border(canvas, card.rank, style);
  if (card.rank == Rank::kJoker) {
    draw_joker(canvas, style, random);
    return face;
  }
  if (card.rank >= Rank::kJack) {
    draw_court(canvas, card, style, random);
  } else {
    draw_number(canvas, card, style, random);
  }
  draw_indices(canvas, card, style);
  return face;
}

}  // namespace cudacards
