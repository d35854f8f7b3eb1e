#include "host/train/audit.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/runtime/error.h"
#include "host/train/predict.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

/// The folder of class folders that the model has learned from, as far as its run says; empty where it is not there. What
/// was held out of a folder without splits is in it too.
fs::path learned_folder(const RunConfig& config) {
  const fs::path root = !config.data_train.empty() ? config.data_train : config.data;
  if (root.empty()) return {};
  std::error_code error;
  const fs::path whole = fs::canonical(root, error);
  if (error) return {};
  const fs::path train = whole / "train";
  return config.data_train.empty() && fs::is_directory(train, error) ? train : whole;
}

bool is_in(const std::string& picture, const fs::path& folder) {
  if (folder.empty()) return false;
  std::error_code error;
  return fs::canonical(fs::path(picture).parent_path().parent_path(), error) == folder && !error;
}

struct Listed {
  ScannedFile file;
  int label = 0;
};

std::vector<Listed> list_pictures(const Dataset& dataset) {
  std::vector<Listed> pictures;
  for (const char* split : {"train", "valid", "test"}) {
    for (const Sample& sample : samples_of(dataset, split))
      pictures.push_back({{sample.path, split, dataset.classes[static_cast<std::size_t>(sample.label)]}, sample.label});
  }
  return pictures;
}

/// The probabilities of pictures that could be read, (pictures, classes), in the order of `listed`, which loses the
/// others.
std::vector<float> probabilities_of(Model& model, std::vector<Listed>& listed, std::vector<BadFile>& bad,
                                    const WorkProgress& progress) {
  std::vector<std::string> paths;
  for (const Listed& picture : listed) paths.push_back(picture.file.path);
  std::vector<float> probabilities;
  std::vector<Listed> good;
  classify_files(model, paths, [&](std::size_t file, const float* row, const std::string& error) {
    const std::span found(row, row ? model.classes().size() : 0);
    if (!row || std::ranges::any_of(found, [](float p) { return std::isnan(p); })) {
      bad.push_back({printable(paths[file]), row ? "the model gives no number (NaN)" : error});
    } else {
      good.push_back(std::move(listed[file]));
      probabilities.insert(probabilities.end(), found.begin(), found.end());
    }
    if (progress) progress(static_cast<std::int64_t>(file) + 1, static_cast<std::int64_t>(paths.size()));
  });
  listed = std::move(good);
  return probabilities;
}

/// The most probable class besides the label.
std::size_t rival_of(const float* probabilities, std::size_t classes, std::size_t label) {
  std::size_t rival = label == 0 ? 1 : 0;
  for (std::size_t k = 0; k < classes; ++k) {
    if (k != label && probabilities[k] > probabilities[rival]) rival = k;
  }
  return rival;
}

}  // namespace

std::vector<bool> confident_suspects(const std::vector<float>& probabilities, const std::vector<int>& labels,
                                     const std::vector<bool>& learned, std::size_t classes) {
  // A class's bar: its mean probability on pictures labelled so that the model has not learned from, where there are
  // some. On those that it knows by heart it is surer than it is of anything new.
  std::vector<double> sum_of_new(classes), sum_of_all(classes);
  std::vector<std::int64_t> count_of_new(classes), count_of_all(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    const double probability = probabilities[i * classes + label];
    sum_of_all[label] += probability;
    ++count_of_all[label];
    if (learned[i]) continue;
    sum_of_new[label] += probability;
    ++count_of_new[label];
  }
  std::vector<double> threshold(classes, 2);  // beyond reach: of a class without a picture nothing is known
  for (std::size_t k = 0; k < classes; ++k) {
    if (count_of_all[k] > 0) threshold[k] = sum_of_all[k] / static_cast<double>(count_of_all[k]);
    if (count_of_new[k] > 0) threshold[k] = sum_of_new[k] / static_cast<double>(count_of_new[k]);
  }
  std::vector<bool> suspects(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const float* row = probabilities.data() + i * classes;
    std::size_t winner = classes;
    for (std::size_t k = 0; k < classes; ++k) {
      if (row[k] >= threshold[k] && (winner == classes || row[k] > row[winner])) winner = k;
    }
    suspects[i] = winner != classes && winner != static_cast<std::size_t>(labels[i]);
  }
  return suspects;
}

std::int64_t Audit::disagreements() const {
  return std::ranges::count_if(pictures, [](const Judged& p) { return p.margin() < 0; });
}

std::int64_t Audit::suspects() const { return std::ranges::count_if(pictures, &Judged::is_suspect); }

std::string caveat(const Audit& audit) {
  const std::string hidden =
      "errors that it has learned by heart look right to it, and come late or not at all; to see them, train on one "
      "part "
      "and audit the other";
  const auto learned = std::ranges::count_if(audit.pictures, &Judged::was_learned);
  if (audit.knows_what_was_learned) return fmt::format("The model has learned from {} of them: {}.", learned, hidden);
  return fmt::format("The model's run names other data than these; where they are the same pictures, {}.", hidden);
}

Audit audit_labels(Model& model, const RunConfig& trained_with, const std::string& data, const WorkProgress& progress) {
  const std::vector<std::string>& classes = model.classes();
  if (classes.size() < 2) throw Error("the model knows one class only: it cannot doubt a label");
  const Dataset dataset = scan_dataset({.root = data, .holdout = 0, .classes = classes});
  std::vector<Listed> listed = list_pictures(dataset);
  if (listed.empty()) throw Error(fmt::format("{}: holds no picture", printable(data)));
  Audit audit;
  std::vector<ScannedFile> files;
  for (const Listed& picture : listed) files.push_back(picture.file);
  audit.conflicts = find_identical(std::move(files));
  std::erase_if(audit.conflicts, [](const Duplicates& d) { return !d.across_labels; });

  const std::vector<float> probabilities = probabilities_of(model, listed, audit.bad, progress);
  if (listed.empty())
    throw Error(fmt::format("no picture can be judged: {} ({})", audit.bad.front().path, audit.bad.front().reason));
  const fs::path folder = learned_folder(trained_with);
  std::vector<int> labels;
  std::vector<bool> learned;
  for (const Listed& picture : listed) {
    labels.push_back(picture.label);
    learned.push_back(is_in(picture.file.path, folder));
    audit.knows_what_was_learned |= learned.back();
  }
  const std::vector<bool> suspects = confident_suspects(probabilities, labels, learned, classes.size());
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const float* row = probabilities.data() + i * classes.size();
    const auto label = static_cast<std::size_t>(labels[i]);
    const std::size_t rival = rival_of(row, classes.size(), label);
    audit.pictures.push_back({.path = listed[i].file.path,
                              .split = listed[i].file.split,
                              .label = classes[label],
                              .rival = classes[rival],
                              .probability_of_label = row[label],
                              .probability_of_rival = row[rival],
                              .is_suspect = suspects[i],
                              .was_learned = learned[i]});
  }
  std::ranges::stable_sort(audit.pictures, {}, &Judged::margin);
  return audit;
}

}  // namespace cudacards
