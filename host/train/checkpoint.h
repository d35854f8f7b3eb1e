#pragma once
// A run on disk. `last.safetensors` has everything to continue bit for bit, `best.safetensors` the weights to classify
// with. Saving replaces the file in a crash-safe way (weights/atomic_file.h) and refuses values that are NaN or
// infinite, because a file that load refuses must never replace a good one.
//
// How a trainer uses it:
// - New run: save_last() once before the first step. A full disk or a class name that cannot be stored shows before any
//   work is done.
// - Each save: fill TrainState between optimizer_step and the next batch, then save_last().
// - Each best: save_best() with the averaged values where there is an average, else with parameters.values().
// - Resume: open the file, read_checkpoint(), build the graph from config.arch, config.image_size and classes,
//   load_last(), continue at batch `step_in_epoch` of epoch `epoch`. Random numbers need no state: they are counted by
//   step, epoch and picture.
// - Inference: the same with load_parameters(), which reads either kind of file.

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "host/graph/parameters.h"
#include "host/ops/tuning_table.h"
#include "host/train/run_config.h"
#include "weights/safetensors.h"

namespace cudacards {

/// Sums over the steps of the epoch that is under way, so that a run resumed in its middle reports the same epoch.
struct RunningMetrics {
  double loss_sum = 0;       // over rows
  std::int64_t correct = 0;  // rows
  std::int64_t rows = 0;
  double seconds = 0;  // spent in training steps
  bool operator==(const RunningMetrics&) const = default;
};

/// Where a run stands: together with parameters and optimizer moments, all that the next step depends on.
struct TrainState {
  std::uint64_t step = 0;          // optimizer steps taken
  std::int64_t epoch = 0;          // the next step's epoch, counted from 0
  std::int64_t step_in_epoch = 0;  // batches of that epoch already used
  std::int64_t pictures = 0;       // an epoch's: a run cannot continue on another number
  RunningMetrics running;
  std::int64_t best_epoch = 0;  // counted from 1 as in metrics.jsonl; 0: none yet
  double best_val_loss = std::numeric_limits<double>::infinity();
  double best_val_accuracy = 0;
  std::int64_t epochs_without_improvement = 0;
  bool operator==(const TrainState&) const = default;
};

/// From an upright picture to the network's input: squashed to the image size, then value * scale + offset.
struct Preprocessing {
  std::string resize = "squash, antialiased bilinear";  // host/data/resize.h
  float scale = 1.0f / 255;
  float offset = 0;
  bool operator==(const Preprocessing&) const = default;
};
/// What the graph's Rescale does.
Preprocessing preprocessing_of(const Graph& graph);

/// Everything in a checkpoint but its tensors. Kept as the file's metadata; numbers as exact text (hexadecimal floating
/// point).
struct Checkpoint {
  RunConfig config;                  // effective; arch and image_size describe the model
  std::vector<std::string> classes;  // names, in the order of the logits
  Preprocessing preprocessing;
  TuningTable choices;  // what its plan has chosen by; no entries: by the lists' order
  TrainState state;     // in `best`: of the moment when it was the best, so best_* are these weights' figures
};

/// moment1, moment2 (empty for SGD) and average (empty without EMA) are laid out as Parameters::values().
void save_last(const std::string& path, const Parameters& parameters, std::span<const float> moment1,
               std::span<const float> moment2, std::span<const float> average, const Checkpoint& checkpoint);

/// `values` is laid out as Parameters::values(): an average, or these values themselves. Of frozen layers the
/// current values are stored: an optimizer doesn't average them.
void save_best(const std::string& path, const Parameters& parameters, std::span<const float> values,
               const Checkpoint& checkpoint);

/// The metadata alone; tensors are not touched. Throws Error for a file that is no checkpoint or has been changed by
/// hand badly.
Checkpoint read_checkpoint(const SafetensorsFile& file);
Checkpoint read_checkpoint(const std::string& path);

/// Fills parameters.values() and touch()es. One Error lists every tensor that is missing, unknown or of another shape;
/// one names the first NaN or infinity. After an Error nothing has been written. Optimizer state in the file is passed
/// over.
void load_parameters(const SafetensorsFile& file, Parameters& parameters);

/// load_parameters and the optimizer's state; spans as in save_last, empty exactly where save_last's were.
void load_last(const SafetensorsFile& file, Parameters& parameters, std::span<float> moment1, std::span<float> moment2,
               std::span<float> average);

/// Throws Error when the graph's preprocessing is not the one that the weights were trained with.
void check_preprocessing(const SafetensorsFile& file, const Checkpoint& checkpoint, const Graph& graph);

/// Throws Error unless the model knows all of `found`, the class names of the data at `where`.
void check_classes(const SafetensorsFile& file, const Checkpoint& checkpoint, const std::vector<std::string>& found,
                   const std::string& where);

}  // namespace cudacards
