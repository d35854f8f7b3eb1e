#pragma once
// Labels that a trained model doubts: likely errors in a data set, for a person to look at.

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/check.h"
#include "host/data/dataset.h"
#include "host/train/model.h"
#include "host/train/run_config.h"

namespace cudacards {

/// One picture, its label, and what the model makes of it.
struct Judged {
  std::string path, split, label;
  std::string rival;  // the most probable of the other classes
  double probability_of_label = 0, probability_of_rival = 0;
  /// Confident learning (Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR
  /// 2021): of the classes whose probability reaches what it has on average on pictures labelled so (those that the model
  /// has not learned from, where there are some), the most probable is another one than the label.
  bool is_suspect = false;
  bool was_learned = false;  // the model's own training has seen this picture with this label

  /// What the ranking goes by, -1 to 1: below 0 the model says something else.
  double margin() const { return probability_of_label - probability_of_rival; }
};

struct Audit {
  std::vector<Judged> pictures;         // all, the smallest margin first
  std::vector<BadFile> bad;             // that could not be read, or of which the model makes no number
  std::vector<Duplicates> conflicts;    // the same file under two labels
  bool knows_what_was_learned = false;  // false: the model's run names other data than these

  std::int64_t disagreements() const;  // of margin below 0
  std::int64_t suspects() const;
};

/// Every picture of every split. Classes are matched by name: Error where the data have one that the model has not.
/// `progress` counts pictures.
Audit audit_labels(Model& model, const RunConfig& trained_with, const std::string& data,
                   const WorkProgress& progress = {});

/// is_suspect of pictures with these probabilities, (pictures, classes), labels and was_learned.
std::vector<bool> confident_suspects(const std::vector<float>& probabilities, const std::vector<int>& labels,
                                     const std::vector<bool>& learned, std::size_t classes);

/// What a reader has to know of the ranking: which pictures the model has learned from, whose errors it hides.
std::string caveat(const Audit& audit);

/// The audit for people: the first `top` pictures with what is doubted.
std::string audit_html(const Audit& audit, const std::string& model, const std::string& data, std::size_t top);

}  // namespace cudacards
