#include "host/data/deck/deck.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <opencv2/core.hpp>
#include <optional>

#include "host/data/deck/face.h"
#include "host/data/deck/named_cards.h"
#include "host/data/deck/partial_folder.h"
#include "host/data/deck/photograph.h"
#include "host/data/jpeg_encode.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

constexpr int kFacePixels = 288;  // a card's width before it is photographed: more than it has in the picture
constexpr DeckSplit kSplits[] = {DeckSplit::kTrain, DeckSplit::kValid, DeckSplit::kTest};

const char* folder_of(DeckSplit split) {
  switch (split) {
    case DeckSplit::kTrain:
      return "train";
    case DeckSplit::kValid:
      return "valid";
    case DeckSplit::kTest:
      return "test";
  }
  return "?";
}

PictureKey key_of(const DeckOptions& options, DeckSplit split, int card, int index) {
  return {options.seed, static_cast<std::uint32_t>(split), static_cast<std::uint32_t>(index),
          static_cast<std::uint32_t>(card)};
}

struct Task {
  DeckSplit split;
  int card, index;
};

/// Picture after picture of all splits and classes.
std::vector<Task> tasks_of(const DeckOptions& options) {
  std::vector<Task> tasks;
  for (const DeckSplit split : kSplits) {
    for (int card = 0; card < static_cast<int>(card_names().size()); ++card) {
      for (int index = 0; index < deck_count(options, split); ++index) tasks.push_back({split, card, index});
    }
  }
  return tasks;
}

void write_pictures(const fs::path& folder, const DeckOptions& options, const WorkProgress& progress) {
  for (const DeckSplit split : kSplits) {
    for (const std::string& name : card_names()) fs::create_directories(folder / folder_of(split) / name);
  }
  const std::vector<Task> tasks = tasks_of(options);
  parallel_items(static_cast<std::int64_t>(tasks.size()), progress, [&](std::int64_t i) {
    const Task& task = tasks[static_cast<std::size_t>(i)];
    const fs::path file = folder / folder_of(task.split) / card_names()[static_cast<std::size_t>(task.card)] /
                          fmt::format("{:03}.jpg", task.index + 1);
    write_file(file, draw_card_jpeg(options, task.split, task.card, task.index));
  });
}

void check_options(const DeckOptions& options) {
  if (options.per_class < 1) {
    throw UsageError(fmt::format("{} pictures a class: one is the least (--per-class)", options.per_class));
  }
  if (options.size < 32 || options.size > 1024) {
    throw UsageError(fmt::format("pictures of {} pixels: 32 to 1024 can be drawn", options.size));
  }
  CUDACARDS_CHECK(1 <= options.jpeg_quality_min && options.jpeg_quality_min <= options.jpeg_quality_max &&
                  options.jpeg_quality_max <= 100);
}

}  // namespace

const std::vector<std::string>& card_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const NamedCard& card : named_cards()) all.push_back(card.name);
    return all;
  }();
  return names;
}

int deck_count(const DeckOptions& options, DeckSplit split) {
  return split == DeckSplit::kTrain ? options.per_class : std::max(1, options.per_class / 5);
}

cv::Mat draw_card(const DeckOptions& options, DeckSplit split, int card, int index) {
  const auto& cards = named_cards();
  CUDACARDS_CHECK(0 <= card && card < static_cast<int>(cards.size()));
  const PictureKey key = key_of(options, split, card, index);
  DeckRandom style_random(key, DeckStream::kStyle), face_random(key, DeckStream::kFace);
  DeckRandom photograph_random(key, DeckStream::kPhotograph), noise(key, DeckStream::kNoise);
  DeckRandom neighbour_random(key, DeckStream::kNeighbour);

  const DeckStyle style = draw_style(style_random);
  auto flat = [&](const Card& which, DeckRandom& random) {
    return FlatCard{draw_face(which, style, kFacePixels, random), style.corner_radius * kFacePixels / 100};
  };
  const FlatCard face = flat(cards[static_cast<std::size_t>(card)].card, face_random);
  std::optional<FlatCard> neighbour;
  if (neighbour_random.chance(0.06)) {
    const auto other = static_cast<std::size_t>(neighbour_random.integer(0, static_cast<int>(cards.size()) - 1));
    neighbour = flat(cards[other].card, neighbour_random);
  }
  return photograph(face, neighbour, options.size, photograph_random, noise);
}

std::vector<std::uint8_t> draw_card_jpeg(const DeckOptions& options, DeckSplit split, int card, int index) {
  DeckRandom random(key_of(options, split, card, index), DeckStream::kJpeg);
  const int quality = random.integer(options.jpeg_quality_min, options.jpeg_quality_max);
  const ChromaSampling sampling = random.chance(0.7) ? ChromaSampling::k420 : ChromaSampling::k444;
  const cv::Mat image = draw_card(options, split, card, index);
  return encode_jpeg(image.data, image.rows, image.cols, image.step, quality, sampling);
}

void make_deck(const std::string& folder, const DeckOptions& options, const WorkProgress& progress) {
  check_options(options);
  cv::setNumThreads(0);  // the pictures are spread over the threads, not the parts of one picture
  make_whole_folder(folder, [&](const fs::path& partial) { write_pictures(partial, options, progress); });
}

}  // namespace cudacards
