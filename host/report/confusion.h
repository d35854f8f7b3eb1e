#pragma once
// Which class was taken for which: the matrix, its folds by rank and by suit, and its picture.

#include <cstdint>
#include <string>
#include <vector>

namespace cudacards {

/// counts[truth * classes.size() + guess].
struct Confusion {
  std::vector<std::string> classes;
  std::vector<std::int64_t> counts;

  explicit Confusion(std::vector<std::string> names = {})
      : classes(std::move(names)), counts(classes.size() * classes.size()) {}
  std::int64_t at(std::size_t truth, std::size_t guess) const { return counts[truth * classes.size() + guess]; }
  void add(std::size_t truth, std::size_t guess, std::int64_t times = 1) {
    counts[truth * classes.size() + guess] += times;
  }
  std::int64_t total() const;
  std::int64_t correct() const;
};

enum class CardPart : std::uint8_t { kRank, kSuit };

/// "ace of clubs": "ace", "clubs". A name without " of " ("joker") is its own part. The parts in the order of a deck,
/// then by name. Empty where no class is called so: a data set of something else has no ranks and suits.
Confusion fold(const Confusion& confusion, CardPart part);

/// Rows are the truth, columns what the model said; a field's ink is its share of the row. Hovering tells the count.
std::string confusion_svg(const Confusion& confusion, const std::string& title);

}  // namespace cudacards
