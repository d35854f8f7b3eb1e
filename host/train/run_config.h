#pragma once
// Everything that decides a run, in one value: what the command line and a config file fill in, what run.toml and the
// checkpoint keep.

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/augment.h"
#include "host/graph/plan.h"
#include "host/ops/optimizer.h"
#include "host/train/tuning.h"
#include "models/registry.h"

namespace cudacards {

enum class ScheduleKind : std::uint8_t { kConstant, kCosine };

struct RunConfig {
  // what
  std::string arch = "cnn";
  std::string preset = "best";
  std::string data;  // root; or the three below; all empty: the generated deck
  std::string data_train, data_valid, data_test;
  std::string out;  // run folder; empty: runs/<arch>-<n>
  int image_size = 224;
  float dropout = 0.5f;  // of every dropout layer
  InputRange input_range = InputRange::kUnit;
  // of the models that have them
  float width = 0;  // multiplier of the channels; 0: that of the weights, without them 1; the effective one is stored
  Head head = Head::kLinear;
  std::string weights;  // a weights file to start from; empty: random
  // how long
  int epochs = 40;
  int batch = 32;
  int patience = 0;          // early stopping after so many epochs without a better validation accuracy; 0: off
  int checkpoint_steps = 0;  // save `last` also every so many steps; 0: at the end of each epoch
  // optimizer
  OptimizerOptions optimizer;
  float rate = 1e-3f;
  ScheduleKind schedule = ScheduleKind::kConstant;
  float warmup_epochs = 0;
  float final_rate = 0.01f;  // cosine ends at rate * final_rate
  float label_smoothing = 0;
  float ema_decay = 0;  // 0: no averaging
  // fine-tuning, of the models that have pre-trained features
  Freeze freeze;
  BatchNorms batch_norms = BatchNorms::kBatch;
  float bn_momentum = 0.99f;
  float layer_decay = 1;  // a block's rate over that of the block above it
  // data
  AugmentOptions augment;
  // machine
  Precision precision = Precision::kF32;
  DeviceKind device = DeviceKind::kCpu;
  ImplRules impl;
  Tune tune = Tune::kAuto;  // the effective one is stored
  int threads = 0;          // 0: one a core; the effective count is stored
  std::uint64_t seed = 1234;
};

/// The effective configuration as TOML, every field.
std::string to_toml(const RunConfig& config);
/// Overwrites the fields that the text names. Strict: an unknown key or another type is a UsageError that names line
/// and key, and guesses; `where` is the file's name for it.
void apply_toml(RunConfig& config, const std::string& text, const std::string& where);
/// The text's preset for the text's arch, then the text's other fields on top.
RunConfig run_config_from_toml(const std::string& text, const std::string& where);

/// What the run's model is built from.
ModelSpec model_spec(const RunConfig& config, int classes);

/// How the run's model is planned for training, by measurements where there are some.
PlanOptions plan_options(const RunConfig& config, const Target& target = {},
                         const std::shared_ptr<const TuningTable>& tuning = nullptr);

/// Throws UsageError for values that cannot be (batch 0, rate -1, ...).
void validate(const RunConfig& config);

}  // namespace cudacards
