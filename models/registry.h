#pragma once
// Models by name. A model is a builder: a description of layers, no arithmetic.

#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "models/fine_tuning.h"

namespace cudacards {

/// What follows the features of a network that has pre-trained ones. The 1,001-way classifier in front of a notebook
/// head is frozen, with all below it.
enum class Head : std::uint8_t {
  kLinear,            // features -> dense(classes)
  kNotebook,          // 1,001 ImageNet logits -> dense(classes)
  kNotebookFinetune,  // 1,001 ImageNet logits -> dense(128), softmax, dropout -> dense(classes)
  kImagenet,          // the classifier itself; classes are ImageNet's 1,000, with a "background" in front 1,001
};

constexpr int kImagenetLogits = 1001;
constexpr int kCardClasses = 53;
/// How many classes a model with this head has when nothing else says so.
constexpr int default_classes(Head head) { return head == Head::kImagenet ? kImagenetLogits : kCardClasses; }

/// What pixels become before the first layer.
enum class InputRange : std::uint8_t {
  kUnit,      // 0..1, as in the notebook
  kCentred,   // -1..1: inputs that are all positive push every unit of a dense layer the same way
  kUnscaled,  // mobilenetv2's notebook heads: 0..255 where the notebook's module takes 0..1 and makes -1..1 of it
};

struct ModelSpec {
  int height = 224, width = 224;
  int classes = kCardClasses;
  float dropout = 0.5f;                        // rate of every dropout layer
  InputRange input_range = InputRange::kUnit;  // mobilenetv2 has its own
  // Only for models that have them (ModelEntry::has_widths_and_heads).
  float width_multiplier = 1.0f;  // of the channels: one of mobilenet_widths()
  Head head = Head::kLinear;
  FineTuning fine_tuning;
};

struct ModelEntry {
  const char* name;         // what --arch takes
  const char* description;  // one line for --help
  Graph (*build)(const ModelSpec&);
  bool has_widths_and_heads = false;
};

const std::vector<ModelEntry>& models();
/// Throws UsageError that lists the names and guesses what was meant, and for a width or head that the model has not.
Graph build_model(const std::string& arch, const ModelSpec& spec);

/// The width multipliers that pre-trained weights exist for.
const std::vector<float>& mobilenet_widths();

}  // namespace cudacards
