#include "host/scene/find_cards.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "host/scene/corners.h"
#include "host/scene/hypothesis.h"
#include "host/scene/photo.h"
#include "host/scene/regions.h"
#include "host/scene/segments.h"

namespace cudacards {
namespace {

constexpr double kLeastArea = 0.003;    // of the picture: fewer pixels name no card
constexpr std::size_t kMostNamed = 60;  // outlines a round: naming takes most of the time
constexpr int kRoundsBelow = 3;         // a fan is taken off card by card
constexpr double kMostShared = 0.15;    // of the smaller of two cards that both lie on top
constexpr double kLeastVisible = 0.15;  // of a card below others: the strip with its index
constexpr double kNearlyWhole = 0.97;
constexpr double kLeastPartly = 0.05;  // how much more probable a card must be that is partly hidden

class Finder {
 public:
  Finder(const Image& image, const CardNamer& namer, double least_probability)
      : photo_(look_at(image)), namer_(namer), least_(least_probability) {}

  std::vector<FoundCard> find() {
    segments_ = straight_edges(photo_);
    quads_ = quads_of_regions(photo_);
    add(quads_of_sides(segments_, photo_.longer_side(), std::nullopt), quads_);
    keep_card_shaped(quads_);
    find_uppermost();
    for (int round = 0; round < kRoundsBelow && !found_.empty(); ++round) {
      if (!find_below()) break;
    }
    std::vector<FoundCard> cards;
    for (const Hypothesis& h : found_) cards.push_back(card_of(h));
    return cards;
  }

 private:
  static void add(const std::vector<Quad>& more, std::vector<Quad>& quads) {
    quads.insert(quads.end(), more.begin(), more.end());
  }

  void keep_card_shaped(std::vector<Quad>& quads) const {
    for (Quad& quad : quads) quad = ordered(quad);
    std::erase_if(quads,
                  [&](const Quad& quad) { return !is_card_shaped(quad) || area(quad) < kLeastArea * photo_.pixels(); });
    remove_repeated(quads);
  }

  std::vector<Quad> found_quads() const {
    std::vector<Quad> quads;
    for (const Hypothesis& h : found_) quads.push_back(h.quad);
    return quads;
  }

  /// What isn't a card resembles a joker most: a picture without an index.
  double least_probability(const Hypothesis& h) const {
    return namer_.classes[h.label] == "joker" ? std::max(least_, 0.75) : least_;
  }

  static bool overlaps(const Hypothesis& h, const std::vector<Hypothesis>& others) {
    return std::any_of(others.begin(), others.end(), [&](const Hypothesis& other) {
      return shared_area(h.quad, other.quad) > kMostShared * std::min(area(h.quad), area(other.quad));
    });
  }

  /// A rim like paper, or beyond doubt by what is on it.
  static bool has_rim(const Hypothesis& h) { return h.support.unevenness <= 0.3 || h.probability >= 0.9; }

  void find_uppermost() {
    std::vector<Hypothesis> all = supported(photo_, quads_, {});
    remove_inner_frames(all);
    if (all.size() > kMostNamed) all.resize(kMostNamed);
    name(photo_, {}, namer_, all);
    for (const Hypothesis& h : all) {
      if (h.probability < least_probability(h) || h.visible.share < 0.6 || !has_rim(h)) continue;
      // On a table as light as the card the edge alone has to tell.
      if (h.support.lighter < 0.5 && (h.probability < 0.8 || h.support.edge < 0.85)) continue;
      if (!overlaps(h, found_)) found_.push_back(h);
    }
  }

  /// The median of the cards that can be seen whole.
  std::optional<Sides> known_size() const {
    std::vector<double> widths, heights;
    for (const Hypothesis& h : found_) {
      if (h.visible.share < kNearlyWhole || h.probability < 0.8) continue;
      widths.push_back(sides(h.quad).width);
      heights.push_back(sides(h.quad).height);
    }
    if (widths.empty()) return std::nullopt;
    std::sort(widths.begin(), widths.end());
    std::sort(heights.begin(), heights.end());
    return Sides{widths[widths.size() / 2], heights[heights.size() / 2]};
  }

  static bool is_near(const Quad& quad, const std::optional<Sides>& known, double factor) {
    if (!known) return true;
    const auto near = [&](double ratio) { return ratio > 1 / factor && ratio < factor; };
    const Sides own = sides(quad);
    return near(own.width / known->width) && near(own.height / known->height);
  }

  bool can_be_seen(const Quad& quad, std::span<const Quad> above) const {
    return visible_part(photo_, quad, above).share > kLeastVisible;
  }

  /// Cards under those that have been found. Whether there were any.
  bool find_below() {
    const std::vector<Quad> above = found_quads();
    const std::optional<Sides> known = known_size();
    std::vector<Quad> quads = quads_of_sides(segments_, photo_.longer_side(), known);
    keep_card_shaped(quads);
    add(quads_, quads);
    std::erase_if(quads, [&](const Quad& quad) { return !is_near(quad, known, 1.33) || !can_be_seen(quad, above); });
    remove_repeated(quads);
    std::vector<Hypothesis> all = supported(photo_, quads, above);
    std::erase_if(all, [&](const Hypothesis& h) {
      return !is_near(h.quad, known, 1.25) || h.visible.share < kLeastVisible || h.support.lighter < 0.6 ||
             h.support.edge < 0.8;
    });
    if (all.size() > kMostNamed / 2) all.resize(kMostNamed / 2);
    name(photo_, above, namer_, all);
    std::vector<Hypothesis> more;
    for (const Hypothesis& h : all) {
      if (h.probability < least_probability(h) + kLeastPartly || !has_rim(h)) continue;
      const bool shows_one_above = std::any_of(found_.begin(), found_.end(), [&](const Hypothesis& other) {
        return other.label == h.label && shared_area(h.quad, other.quad) > 0.3 * area(h.quad);
      });
      if (!shows_one_above && !overlaps(h, more)) more.push_back(h);
    }
    found_.insert(found_.end(), more.begin(), more.end());
    return !more.empty();
  }

  FoundCard card_of(const Hypothesis& h) const {
    FoundCard card{.label = namer_.classes[h.label], .probability = h.probability, .quad = {}};
    for (std::size_t i = 0; i < 4; ++i) {
      const cv::Point2d corner = h.quad[(i + (h.upside_down ? 2 : 0)) % 4] / photo_.scale;
      card.quad[i] = {corner.x, corner.y};
    }
    card.box = {h.visible.box.x, h.visible.box.y, h.visible.box.br().x, h.visible.box.br().y};
    return card;
  }

  Photo photo_;
  const CardNamer& namer_;
  double least_;
  std::vector<Segment> segments_;
  std::vector<Quad> quads_;
  std::vector<Hypothesis> found_;
};

}  // namespace

std::vector<FoundCard> find_cards(const Image& image, const CardNamer& namer, double least_probability) {
  return Finder(image, namer, least_probability).find();
}

}  // namespace cudacards
