#include "host/report/confusion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "host/report/markup.h"

namespace cudacards {
namespace {

constexpr std::string_view kOf = " of ";
constexpr std::array<std::string_view, 18> kOrder = {"ace",   "two",   "three",    "four",   "five",   "six",
                                                     "seven", "eight", "nine",     "ten",    "jack",   "queen",
                                                     "king",  "clubs", "diamonds", "hearts", "spades", "joker"};

std::string part_of(const std::string& name, CardPart part) {
  const std::size_t of = name.find(kOf);
  if (of == std::string::npos) return name;
  return part == CardPart::kRank ? name.substr(0, of) : name.substr(of + kOf.size());
}

std::vector<std::string> parts_of(const std::vector<std::string>& classes, CardPart part) {
  std::vector<std::string> parts;
  for (const std::string& name : classes) parts.push_back(part_of(name, part));
  std::ranges::sort(parts, {},
                    [](const std::string& name) { return std::pair(std::ranges::find(kOrder, name), name); });
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return parts;
}

constexpr double kLeastWidth = 340;  // of the words above

// Fields of a large matrix are small: 53 classes have to fit a page.
struct Sizes {
  double field, font, left, top;
  Sizes(std::size_t classes, std::size_t longest)
      : field(classes > 20 ? 13 : 26),
        font(classes > 20 ? 10 : 12),
        left(28 + static_cast<double>(longest) * font * 0.6),
        top(60 + static_cast<double>(longest) * font * 0.6) {}
};

class Drawing {
 public:
  Drawing(const Confusion& confusion, const std::string& title)
      : confusion_(confusion), title_(title), sizes_(confusion.classes.size(), longest(confusion.classes)) {}

  std::string draw() {
    const auto n = static_cast<double>(confusion_.classes.size());
    const double width = std::max(kLeastWidth, sizes_.left + n * sizes_.field + 16),
                 height = sizes_.top + n * sizes_.field + 16;
    out_ = svg_begin(width, height, title_) + svg_text("title", 12, 24, "start", title_) +
           svg_text("faint", 12, 42, "start", "rows: what it is; columns: what the model said");
    for (std::size_t i = 0; i < confusion_.classes.size(); ++i) labels(i);
    frame(n);
    for (std::size_t truth = 0; truth < confusion_.classes.size(); ++truth) row(truth);
    return out_ + "</svg>\n";
  }

 private:
  static std::size_t longest(const std::vector<std::string>& names) {
    std::size_t longest = 0;
    for (const std::string& name : names) longest = std::max(longest, character_count(name));
    return longest;
  }

  void labels(std::size_t i) {
    const std::string name = escape_markup(confusion_.classes[i]);
    const double middle = (static_cast<double>(i) + 0.5) * sizes_.field + sizes_.font * 0.35;
    out_ += fmt::format("<text style=\"font-size:{}px\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                        sizes_.font, sizes_.left - 6, sizes_.top + middle, name);
    out_ += fmt::format("<text style=\"font-size:{}px\" transform=\"translate({:.1f} {:.1f}) rotate(-90)\">{}</text>\n",
                        sizes_.font, sizes_.left + middle, sizes_.top - 6, name);
  }

  void frame(double n) {
    const double side = n * sizes_.field;
    out_ += fmt::format(
        "<rect class=\"grid\" fill=\"none\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
        sizes_.left, sizes_.top, side, side);
    const auto lines = static_cast<int>(n);
    for (int i = 1; i < lines; ++i) {
      if (lines > 20 && i % 4 != 0) continue;  // a card's four suits
      const double at = i * sizes_.field;
      out_ += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}v{:.1f}M{:.1f} {:.1f}h{:.1f}\"/>\n", sizes_.left + at,
                          sizes_.top, side, sizes_.left, sizes_.top + at, side);
    }
  }

  void row(std::size_t truth) {
    std::int64_t sum = 0;
    for (std::size_t guess = 0; guess < confusion_.classes.size(); ++guess) sum += confusion_.at(truth, guess);
    for (std::size_t guess = 0; guess < confusion_.classes.size(); ++guess) {
      const std::int64_t count = confusion_.at(truth, guess);
      if (count > 0) field(truth, guess, count, static_cast<double>(count) / static_cast<double>(sum));
    }
  }

  void field(std::size_t truth, std::size_t guess, std::int64_t count, double share) {
    const double x = sizes_.left + static_cast<double>(guess) * sizes_.field;
    const double y = sizes_.top + static_cast<double>(truth) * sizes_.field;
    // A single mistake must be seen: no field that has one is paler than a quarter.
    out_ += fmt::format(
        "<g><title>{}: {} of them called {}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" "
        "fill=\"{}\" "
        "fill-opacity=\"{:.2f}\"/>",
        escape_markup(confusion_.classes[truth]), count, escape_markup(confusion_.classes[guess]), x + 0.5, y + 0.5,
        sizes_.field - 1, sizes_.field - 1, series_colour(truth == guess ? 0 : 3), 0.25 + 0.75 * share);
    if (sizes_.field > 20) {
      out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" style=\"font-size:10px{}\">{}</text>",
                          x + sizes_.field / 2, y + sizes_.field / 2 + 3.5, share > 0.4 ? ";fill:#fff" : "", count);
    }
    out_ += "</g>\n";
  }

  const Confusion& confusion_;
  const std::string& title_;
  const Sizes sizes_;
  std::string out_;
};

}  // namespace

std::int64_t Confusion::total() const { return std::accumulate(counts.begin(), counts.end(), std::int64_t{0}); }

std::int64_t Confusion::correct() const {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) sum += at(i, i);
  return sum;
}

Confusion fold(const Confusion& confusion, CardPart part) {
  const bool has_cards = std::ranges::any_of(
      confusion.classes, [](const std::string& name) { return name.find(kOf) != std::string::npos; });
  if (!has_cards) return Confusion();
  Confusion folded(parts_of(confusion.classes, part));
  std::vector<std::size_t> place;
  for (const std::string& name : confusion.classes)
    place.push_back(
        static_cast<std::size_t>(std::ranges::find(folded.classes, part_of(name, part)) - folded.classes.begin()));
  for (std::size_t truth = 0; truth < place.size(); ++truth) {
    for (std::size_t guess = 0; guess < place.size(); ++guess)
      folded.add(place[truth], place[guess], confusion.at(truth, guess));
  }
  return folded;
}

std::string confusion_svg(const Confusion& confusion, const std::string& title) {
  return Drawing(confusion, title).draw();
}

}  // namespace cudacards
