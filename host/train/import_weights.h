#pragma once
// From somebody else's MobileNetV2 to a file that `train --weights` and, where it has a classifier, `predict` take.

#include <optional>
#include <string>
#include <vector>

#include "host/runtime/threads.h"
#include "host/train/weights_file.h"
#include "weights/import.h"

namespace cudacards {

struct ImportOptions {
  std::string source;                  // safetensors, model.json, or a folder with one
  std::string out;                     // the safetensors file to write
  std::optional<float> width;          // default: the one whose shapes the file has
  int image_size = 224;                // that the weights were trained at
  std::vector<std::string> labels;     // names of the classifier's classes, in order; empty: "class 0", ...
  std::vector<std::string> calibrate;  // pictures for the statistics of folded batch norms; empty: none
};

struct ImportResult {
  ImportReport report;
  WeightsInfo info;
};

/// With a classifier in the source the file is a checkpoint of the head imagenet; without one it has features only. The
/// source's tensors that fit nowhere are left out and named in the report. Throws Error; `out` is written whole or not
/// at all. `calibrated` counts the pictures of the calibration; what it throws stops the work.
ImportResult import_weights(const ImportOptions& options, const WorkProgress& calibrated = {});

/// One name a line. Names that come twice (ImageNet has two "crane"s) get their number: classes are told apart by name.
std::vector<std::string> read_labels(const std::string& path);

}  // namespace cudacards
