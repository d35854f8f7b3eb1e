#include "host/data/deck/scene.h"

#include <algorithm>
#include <numeric>
#include <opencv2/imgproc.hpp>

#include "host/data/deck/exposure.h"
#include "host/data/deck/named_cards.h"
#include "host/data/deck/scene_layout.h"

namespace cudacards {
namespace {

constexpr std::uint32_t kSplit = 3;  // beside DeckSplit's, so that a scene's deck is none of a training picture's
constexpr int kMostCards = 9;

DeckRandom random_of(const SceneOptions& options, int index, DeckStream stream) {
  return {PictureKey{options.seed, kSplit, static_cast<std::uint32_t>(index), 0}, stream};
}

/// The decks that people play with: dark letters on light paper, pips that can be counted, figures.
bool is_ordinary(const DeckStyle& style) {
  const auto grey = [](const Colour& c) { return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b; };
  return grey(style.paper) > 200 && grey(style.paper_far) > 200 && style.number_art == NumberArt::kPips &&
         style.pip_finish == PipFinish::kFlat && style.court_art == CourtArt::kFramedFigure &&
         style.index_layout == IndexLayout::kPipBelow && style.index_height >= 12;
}

DeckStyle draw_ordinary_style(DeckRandom& random) {
  for (;;) {
    const DeckStyle style = draw_style(random);
    if (is_ordinary(style)) return style;
  }
}

/// `count` different ones.
std::vector<std::size_t> draw_hand(int count, DeckRandom& random) {
  std::vector<std::size_t> deck(named_cards().size());
  std::iota(deck.begin(), deck.end(), std::size_t{0});
  for (int i = 0; i < count; ++i) {
    const int other = random.integer(i, static_cast<int>(deck.size()) - 1);
    std::swap(deck[static_cast<std::size_t>(i)], deck[static_cast<std::size_t>(other)]);
  }
  deck.resize(static_cast<std::size_t>(count));
  return deck;
}

/// The pixels of each card that no later one covers.
std::vector<cv::Rect> visible_boxes(const std::vector<LaidCard>& laid, int size) {
  std::vector<cv::Rect> boxes(laid.size());
  cv::Mat covered = cv::Mat::zeros(size, size, CV_8U);
  for (std::size_t i = laid.size(); i-- > 0;) {
    const LaidCard& card = laid[i];
    const cv::Mat shape = cv::Mat(card.area.size(), CV_32F, const_cast<float*>(card.coverage.data())) > 0.5;
    cv::Mat above = covered(card.area);
    boxes[i] = cv::boundingRect(shape & ~above) + card.area.tl();
    above |= shape;
  }
  return boxes;
}

/// As wide as the card is in the picture, so that its lines neither vanish nor flicker.
int face_pixels(const Corners& corners) {
  return std::max(64, static_cast<int>(std::lround(cv::norm(corners[1] - corners[0]))));
}

}  // namespace

Scene draw_scene(const SceneOptions& options, int index) {
  DeckRandom random = random_of(options, index, DeckStream::kScene),
             style_random = random_of(options, index, DeckStream::kStyle);
  DeckRandom face_random = random_of(options, index, DeckStream::kFace),
             noise = random_of(options, index, DeckStream::kNoise);
  const DeckStyle style = draw_ordinary_style(style_random);
  const int size = options.size, count = random.integer(1, kMostCards);
  const bool upright = random.chance(0.4);
  const cv::Size seen = upright ? cv::Size(size * 3 / 4, size) : cv::Size(size, size * 3 / 4);
  const std::vector<std::size_t> hand = draw_hand(count, random);
  const std::vector<Corners> layout = draw_layout(count, style.height, seen, kMostCovered, random);

  Scene scene;
  FloatPicture picture = draw_table(size, random);
  std::vector<LaidCard> laid;
  for (std::size_t i = 0; i < hand.size(); ++i) {
    const int width = face_pixels(layout[i]);
    const FlatCard flat{draw_face(named_cards()[hand[i]].card, style, width, face_random),
                        style.corner_radius * width / 100};
    Corners share = layout[i];
    for (cv::Point2f& p : share) p /= static_cast<float>(size);
    laid.push_back(place_card(flat, share, size));
    cast_shadow(picture, laid.back(), random);
    lay(picture, laid.back());
  }
  expose(picture, random);
  const cv::Mat whole = develop(picture);
  scene.image = whole(cv::Rect({0, 0}, seen)).clone();
  if (random.chance(0.5)) cv::GaussianBlur(scene.image, scene.image, {}, random.uniform(0.4, 1.2));
  add_noise(scene.image, random.chance(0.5) ? random.uniform(0, 12) : 0, noise);

  const std::vector<cv::Rect> boxes = visible_boxes(laid, size);
  for (std::size_t i = 0; i < hand.size(); ++i)
    scene.cards.push_back({named_cards()[hand[i]].name, layout[i], boxes[i]});
  return scene;
}

}  // namespace cudacards
