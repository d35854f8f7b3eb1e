#include "host/train/predict.h"

#include <algorithm>
#include <numeric>

#include "host/ops/softmax_loss.h"
#include "host/train/file_batch.h"

namespace cudacards {
namespace {

std::vector<Guess> best_guesses(const float* probabilities, const std::vector<std::string>& classes, int top) {
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t kept = std::min(order.size(), static_cast<std::size_t>(std::max(1, top)));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
                    });
  std::vector<Guess> guesses;
  for (std::size_t i = 0; i < kept; ++i) guesses.push_back({classes[order[i]], probabilities[order[i]]});
  return guesses;
}

}  // namespace

std::vector<float> class_probabilities(Model& model, std::span<const std::uint8_t* const> pictures) {
  const auto batch = static_cast<std::size_t>(model.plan().options().batch);
  const std::size_t classes = model.classes().size();
  std::vector<float> probabilities(pictures.size() * classes);
  std::vector<const std::uint8_t*> images(batch);
  for (std::size_t first = 0; first < pictures.size(); first += batch) {
    const std::size_t rows = std::min(batch, pictures.size() - first);
    // A plan runs whole batches: the last is filled up with its last picture.
    for (std::size_t i = 0; i < batch; ++i) images[i] = pictures[first + std::min(i, rows - 1)];
    model.plan().forward(ImageBatch{images, {}}, Step{.training = false});
    softmax_rows(model.plan().read_logits(), static_cast<std::int64_t>(rows), static_cast<std::int64_t>(classes),
                 probabilities.data() + first * classes);
  }
  return probabilities;
}

void classify_files(Model& model, const std::vector<std::string>& paths, const FileClassified& take) {
  const auto batch = static_cast<std::size_t>(model.plan().options().batch);
  FileBatch files(batch, model.height(), model.width());
  for (std::size_t first = 0; first < paths.size(); first += batch) {
    const std::size_t rows = std::min(batch, paths.size() - first);
    files.read(std::span(paths).subspan(first, rows));
    const std::vector<float> probabilities = class_probabilities(model, files.images().first(rows));
    for (std::size_t i = 0; i < rows; ++i) {
      const std::string& error = files.errors()[i];
      take(first + i, error.empty() ? probabilities.data() + i * model.classes().size() : nullptr, error);
    }
  }
}

std::vector<Prediction> predict(Model& model, const std::vector<std::string>& paths, int top) {
  std::vector<Prediction> predictions;
  classify_files(model, paths, [&](std::size_t file, const float* probabilities, const std::string& error) {
    predictions.push_back({.path = paths[file], .top = {}, .error = error});
    if (probabilities) predictions.back().top = best_guesses(probabilities, model.classes(), top);
  });
  return predictions;
}

}  // namespace cudacards
