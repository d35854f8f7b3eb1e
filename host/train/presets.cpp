#include "host/train/presets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/runtime/cpu.h"
#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr const char* kMobileNet = "mobilenetv2";
constexpr int kNotebookSide = 128;  // of its MobileNet

Precision fastest_precision(DeviceKind device) {
  const bool multiplies_bf16 = device != DeviceKind::kCpu || cpu_has_bf16();  // kernels are for sm_80 and later
  return multiplies_bf16 ? Precision::kBf16 : Precision::kF32;
}

/// All layers learn, at one rate. Keras' momentum of this network, 0.999, remembers a thousand steps, four epochs of
/// the cards: its running statistics would be those of weights that are long gone.
void train_everything(RunConfig& c) {
  c.freeze = {};
  c.batch_norms = BatchNorms::kBatch;
  c.bn_momentum = 0.99f;
  c.layer_decay = 1;
}

void apply_notebook(RunConfig& c) {
  c.epochs = 10;
  c.batch = 32;
  c.image_size = c.arch == kMobileNet ? kNotebookSide : 224;
  c.dropout = 0.5f;
  c.input_range = InputRange::kUnit;
  train_everything(c);
  c.optimizer = {};  // Keras' Adam
  c.rate = 1e-3f;
  c.schedule = ScheduleKind::kConstant;
  c.warmup_epochs = 0;
  c.label_smoothing = 0;
  c.ema_decay = 0;
  c.augment = {};
  c.precision = Precision::kF32;
  c.seed = 1234;
}

void apply_notebook_transfer(RunConfig& c) {
  apply_notebook(c);
  c.width = 0.35f;
  c.head = Head::kNotebook;
  c.input_range = InputRange::kUnscaled;
  c.freeze = {.part = Freeze::Part::kBackbone};
}

void apply_notebook_finetune(RunConfig& c) {
  apply_notebook_transfer(c);
  c.head = Head::kNotebookFinetune;
  c.rate = 1e-4f;
}

// Without this the MLP never leaves the constant answer: its 150,528 inputs of the notebook are all positive, so that a
// few steps of 1e-3 turn every hidden unit off for good. It sees no neighbourhood, so small pictures lose it nothing.
void adapt_best_to_mlp(RunConfig& c) {
  c.image_size = 64;
  c.input_range = InputRange::kCentred;
  c.dropout = 0.2f;
  c.rate = 3e-4f;
  c.augment.rotation_degrees = 8;
  c.augment.scale = 0.1f;
  c.augment.shift = 0.05f;
}

void apply_best(RunConfig& c) {
  c.epochs = 40;
  c.batch = 32;
  train_everything(c);
  c.optimizer = {.kind = OptimizerKind::kAdamW, .epsilon = 1e-8f, .weight_decay = 0.02f};
  c.rate = 1e-3f;
  c.schedule = ScheduleKind::kCosine;
  c.warmup_epochs = 1;
  c.final_rate = 0.01f;
  c.label_smoothing = 0.1f;
  c.ema_decay = 0;
  c.augment = {.rotation_degrees = 15,
               .scale = 0.15f,
               .shift = 0.06f,
               .perspective = 0.03f,
               .brightness = 0.2f,
               .contrast = 0.2f};
  c.precision = fastest_precision(c.device);
  if (c.arch == "mlp") adapt_best_to_mlp(c);
}

// The features know cats from dogs and not a seven from an eight: everything has to move, the lower layers less.
// Views are wider than best's, because a network of this size learns the 7,624 pictures themselves within ten epochs.
// The average over about two epochs evens out the last digits of a rate that is high for weights that were good
// already.
void apply_finetune(RunConfig& c) {
  apply_best(c);
  c.rate = 1.5e-3f;
  c.layer_decay = 0.95f;
  c.optimizer.weight_decay = 0.05f;
  c.ema_decay = 0.998f;
  c.augment = {.rotation_degrees = 20,
               .scale = 0.25f,
               .shift = 0.1f,
               .perspective = 0.06f,
               .brightness = 0.3f,
               .contrast = 0.3f,
               .blur_probability = 0.2f,
               .blur_sigma = 1.5f,
               .erase_probability = 0.25f,
               .erase_area = 0.15f};
}

// A linear classifier of fixed features. No augmentation, so that the features are computed once.
void apply_transfer(RunConfig& c) {
  apply_best(c);
  c.epochs = 60;
  c.freeze = {.part = Freeze::Part::kBackbone};
  c.batch_norms = BatchNorms::kFrozen;
  c.rate = 1e-3f;
  c.optimizer.weight_decay = 0.02f;
  c.label_smoothing = 0.1f;
  c.augment = {};
  c.precision = Precision::kF32;
}

std::vector<Preset> make_presets() {
  const char* mistake_of_range =
      "- it expects pixels from 0 to 1, of which it makes -1..1, and gets 0..255: its first layer sees up to 509";
  return {
      {"best", "augmentation, AdamW, cosine schedule", nullptr, false, apply_best, {}},
      {"notebook", "Keras' defaults", nullptr, false, apply_notebook, {}},
      {"finetune",
       "all layers of pre-trained weights, wider augmentation, an average",
       kMobileNet,
       true,
       apply_finetune,
       {}},
      {"transfer", "a linear head on frozen features", kMobileNet, true, apply_transfer, {}},
      {"notebook-transfer",
       "the notebook's third model with its mistakes",
       kMobileNet,
       true,
       apply_notebook_transfer,
       {"notebook-transfer repeats the notebook's third model with what made it fail (see --preset transfer, "
        "finetune):",
        mistake_of_range,
        "- its head reads scores of 1,001 ImageNet classes, not the 1,280 features that they are made of",
        "- nothing else learns, and ImageNet has no use for what tells one card from another"}},
      {"notebook-finetune",
       "the notebook's fourth model with its mistakes",
       kMobileNet,
       true,
       apply_notebook_finetune,
       {"notebook-finetune repeats the notebook's fourth model with what made it fail (see --preset finetune):",
        "- it fine-tunes nothing: the network stays frozen as a whole, only a new head learns", mistake_of_range,
        "- the head's hidden layer ends in a softmax: its 128 values add up to 1, and gradients all but vanish",
        "- a rate of 1e-4 for ten epochs hardly moves weights that start at random"}},
  };
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = make_presets();
  return all;
}

const Preset& preset_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    if (name == preset.name) return preset;
    names.emplace_back(preset.name);
  }
  throw UsageError(
      fmt::format("no preset named \"{}\"{}; known: {}", name, did_you_mean(name, names), fmt::join(names, ", ")));
}

void apply_preset(RunConfig& config, const std::string& name) {
  const Preset& preset = preset_named(name);
  if (preset.arch != nullptr && config.arch != preset.arch) {
    throw UsageError(fmt::format("the preset {} is for {}, not {}: use --arch {}, or --preset best", name, preset.arch,
                                 config.arch, preset.arch));
  }
  preset.apply(config);
  config.preset = name;
}

}  // namespace cudacards
