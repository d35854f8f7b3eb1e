#pragma once
// Names for pictures.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/train/model.h"

namespace cudacards {

struct Guess {
  std::string label;
  double probability = 0;
};

struct Prediction {
  std::string path;
  std::vector<Guess> top;  // most probable first; empty when the file is no picture
  std::string error;       // why it could not be read, else empty
};

/// The likeliest `top` classes of each file. A file that cannot be read gets its reason in `error`; the rest is unaffected.
std::vector<Prediction> predict(Model& model, const std::vector<std::string>& paths, int top);

/// Hears of the files in their order: row i of probabilities, in the order of model.classes(), or null and why the file
/// could not be read.
using FileClassified = std::function<void(std::size_t file, const float* probabilities, const std::string& error)>;

/// Decodes and classifies in batches. What `take` throws stops the work.
void classify_files(Model& model, const std::vector<std::string>& paths, const FileClassified& take);

/// Of pictures that are decoded and squashed already (model.height() x model.width() x 3 bytes each): rows of
/// probabilities in the order of model.classes().
std::vector<float> class_probabilities(Model& model, std::span<const std::uint8_t* const> pictures);

}  // namespace cudacards
