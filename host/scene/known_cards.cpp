#include "host/scene/known_cards.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>

#include "host/data/files.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr double kLeastOverlap = 0.5;
constexpr double kFurthest = 1e6;  // pixels: further than in any picture, and near enough to be drawn

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

class Table {
 public:
  Table(const std::string& path, std::string_view header) : path_(path), columns_(split(header, ',')) {
    file_ = place_of("filename");
    label_ = find("label") ? place_of("label") : place_of("rank");
    constexpr const char* kSides[] = {"xmin", "ymin", "xmax", "ymax"};
    for (std::size_t i = 0; i < 4; ++i) box_[i] = place_of(kSides[i]);
  }

  void read(std::string_view line, std::size_t number, KnownCards& cards) const {
    const std::vector<std::string_view> cells = split(line, ',');
    if (cells.size() != columns_.size())
      throw Error(fmt::format("{}, line {}: {} columns, and the header has {}", printable(path_), number, cells.size(),
                              columns_.size()));
    KnownCard card{.label = std::string(cells[label_])};
    for (std::size_t i = 0; i < 4; ++i) card.box[i] = number_in(cells[box_[i]], number);
    if (card.box[0] >= card.box[2] || card.box[1] >= card.box[3])
      throw Error(fmt::format("{}, line {}: a box without pixels", printable(path_), number));
    cards[std::string(cells[file_])].push_back(card);
  }

 private:
  std::optional<std::size_t> find(std::string_view name) const {
    const auto place = std::find(columns_.begin(), columns_.end(), name);
    if (place == columns_.end()) return std::nullopt;
    return static_cast<std::size_t>(place - columns_.begin());
  }

  std::size_t place_of(std::string_view name) const {
    if (const auto place = find(name)) return *place;
    throw Error(fmt::format("{}: the header has no column {}", printable(path_), name));
  }

  double number_in(std::string_view cell, std::size_t line) const {
    double value = 0;
    const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    const bool is_place = std::abs(value) <= kFurthest;  // NaN is none
    if (problem != std::errc() || end != cell.data() + cell.size() || !is_place)
      throw Error(fmt::format("{}, line {}: \"{}\" is no number of pixels", printable(path_), line, printable(cell)));
    return value;
  }

  std::string path_;
  std::vector<std::string_view> columns_;
  std::size_t file_ = 0, label_ = 0;
  std::array<std::size_t, 4> box_{};
};

double box_area(const std::array<double, 4>& box) {
  return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]);
}

/// What both cover, of what they cover together.
double overlap(const std::array<double, 4>& a, const std::array<double, 4>& b) {
  const std::array<double, 4> common{std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]),
                                     std::min(a[3], b[3])};
  const double shared = box_area(common), together = box_area(a) + box_area(b) - shared;
  return together > 0 ? shared / together : 0;
}

/// "queen" is the rank of "queen of hearts".
bool has_name(const std::string& label, const std::string& known) {
  return label == known || label.starts_with(known + " of ");
}

}  // namespace

KnownCards read_known_cards(const std::string& path) {
  std::string text;
  try {
    const std::vector<std::uint8_t> bytes = read_file(path);
    text.assign(bytes.begin(), bytes.end());
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", printable(path), error.what()));
  }
  std::erase(text, '\r');
  const std::vector<std::string_view> lines = split(text, '\n');
  const Table table(path, lines[0]);
  KnownCards cards;
  for (std::size_t i = 1; i < lines.size(); ++i)
    if (!lines[i].empty()) table.read(lines[i], i + 1, cards);
  return cards;
}

bool Agreement::is_perfect() const {
  const auto yes = [](bool value) { return value; };
  return std::all_of(right.begin(), right.end(), yes) && std::all_of(met.begin(), met.end(), yes);
}

Agreement compare(const std::vector<FoundCard>& found, const std::vector<KnownCard>& known) {
  Agreement agreement{std::vector<bool>(found.size()), std::vector<bool>(known.size())};
  std::vector<std::size_t> order(found.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return found[a].probability > found[b].probability; });
  for (const std::size_t i : order) {
    double most = 0;
    std::size_t best = 0;
    for (std::size_t k = 0; k < known.size(); ++k) {
      if (agreement.met[k] || !has_name(found[i].label, known[k].label)) continue;
      const double here = overlap(found[i].box, known[k].box);
      if (here <= most) continue;
      most = here;
      best = k;
    }
    if (most >= kLeastOverlap) agreement.right[i] = agreement.met[best] = true;
  }
  return agreement;
}

void FindScore::add(const Agreement& agreement) {
  ++photos;
  known += static_cast<int>(agreement.met.size());
  found += static_cast<int>(agreement.right.size());
  right += static_cast<int>(std::count(agreement.right.begin(), agreement.right.end(), true));
}

}  // namespace cudacards
