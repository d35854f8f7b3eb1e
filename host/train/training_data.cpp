#include "host/train/training_data.h"

#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/data/check.h"
#include "host/data/deck/deck.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

// The deck that `train` draws for itself when it is given no data.
constexpr const char* kDeckFolder = "data/deck";

/// On first use.
void draw_deck(const std::string& folder, Progress& progress, const std::atomic<int>* stop) {
  if (std::filesystem::exists(folder)) return;
  const DeckOptions deck;
  progress.note(
      fmt::format("no data given: drawing a deck of cards in {} ({} pictures a class)", folder, deck.per_class));
  make_deck(folder, deck, counting("drawing cards", progress, stop));
}

// A run without pictures to learn from, or to choose the best epoch by, would end with a meaningless model and no
// complaint.
void require_pictures(const char* split, const std::vector<Sample>& samples, const std::string& root) {
  if (!samples.empty()) return;
  throw Error(
      fmt::format("{}: no picture is left for {}: add some, or name another folder with --{}", root, split, split));
}

Pictures decode(const char* split, const std::vector<Sample>& samples, const RunConfig& config, const Dataset& dataset,
                Progress& progress, const std::atomic<int>* stop) {
  Pictures pictures = decode_pictures(samples, config.image_size, config.image_size, kBadLimit, dataset.classes,
                                      counting("decoding pictures", progress, stop));
  for (const auto& bad : pictures.bad()) progress.note(fmt::format("skipped {}: {}", bad.path, bad.reason));
  progress.note(
      fmt::format("{}: Found {} files belonging to {} classes", split, pictures.size(), dataset.classes.size()));
  return pictures;
}

}  // namespace

DatasetOptions dataset_options(const RunConfig& config) {
  DatasetOptions options{
      .root = config.data, .train = config.data_train, .valid = config.data_valid, .test = config.data_test};
  if (options.root.empty() && options.train.empty()) options.root = kDeckFolder;
  return options;
}

Dataset find_training_data(const RunConfig& config, Progress& progress, const std::atomic<int>* stop) {
  const DatasetOptions options = dataset_options(config);
  if (config.data.empty() && config.data_train.empty()) draw_deck(options.root, progress, stop);
  Dataset dataset = scan_dataset(options);
  for (const auto& skipped : dataset.skipped)
    progress.note(fmt::format("skipped {}: {}", skipped.path, skipped.reason));
  const std::string& root = options.root.empty() ? options.train : options.root;
  require_pictures("train", dataset.train, root);
  require_pictures("valid", dataset.valid, root);
  return dataset;
}

TrainingData decode_training_data(const Dataset& dataset, const RunConfig& config, Progress& progress,
                                  const std::atomic<int>* stop) {
  TrainingData data{dataset.classes, decode("train", dataset.train, config, dataset, progress, stop),
                    decode("valid", dataset.valid, config, dataset, progress, stop)};
  for (const Duplicates& group : find_duplicates(data.train, data.valid, data.classes)) {
    progress.note(fmt::format("the same picture {}: {}", meaning_of(group), fmt::join(group.paths(), " = ")));
  }
  if (dataset.valid_source != "valid") progress.note(fmt::format("valid: {}", dataset.valid_source));
  return data;
}

}  // namespace cudacards
