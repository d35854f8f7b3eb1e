#pragma once
// Generated decks: pictures of playing cards drawn by the project itself, so that training can be tried without any
// data. Every picture is a pure function of (seed, split, class, index), whatever the number of threads.

#include <cstdint>
#include <string>
#include <vector>

#include "host/runtime/threads.h"

namespace cv {
class Mat;
}

namespace cudacards {

struct DeckOptions {
  int per_class = 40;  // pictures in train; a fifth of it, one at least, in valid and in test
  std::uint64_t seed = 1;
  int size = 224;  // pixels, width and height
  int jpeg_quality_min = 60, jpeg_quality_max = 95;
};

enum class DeckSplit : std::uint32_t { kTrain, kValid, kTest };

/// The 53 classes, sorted, as the folders of the public card data set are named: "ace of clubs", ..., "joker", ...,
/// "two of spades".
const std::vector<std::string>& card_names();

/// Picture `index` of class `card` (in card_names()) in `split`: size x size, RGB (CV_8UC3).
cv::Mat draw_card(const DeckOptions& options, DeckSplit split, int card, int index);

/// The same as the bytes of a JPEG file.
std::vector<std::uint8_t> draw_card_jpeg(const DeckOptions& options, DeckSplit split, int card, int index);

/// How many pictures a class has in `split`.
int deck_count(const DeckOptions& options, DeckSplit split);

/// Writes <folder>/train|valid|test/<class>/001.jpg and so on. The folder appears whole or not at all: it is written
/// beside its place and renamed. `progress` counts pictures; what it throws stops the work. Throws Error where the
/// folder exists and is not empty, or cannot be written.
void make_deck(const std::string& folder, const DeckOptions& options, const WorkProgress& progress = {});

}  // namespace cudacards
