// The configuration of a run survives its file, refuses what it doesn't know, and the notebook's preset is Keras'
// defaults.

#include "host/train/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "host/runtime/error.h"
#include "host/train/presets.h"

namespace cudacards {
namespace {

using testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "(no error)";
}

std::string refusal_of(const std::string& toml) {
  return message_of([&] { run_config_from_toml(toml, "my.toml"); });
}

TEST(RunConfigToml, KeepsEveryFieldThroughTheFile) {
  RunConfig config;
  config.arch = "mlp";
  config.preset = "notebook";
  config.data = "a folder/with \"quotes\"\\and\nlines";
  config.data_test = "t";
  config.out = "o";
  config.image_size = 96;
  config.width = 0.35f;
  config.head = Head::kNotebook;
  config.weights = "w \"quoted\".safetensors";
  config.epochs = 3;
  config.batch = 7;
  config.patience = 4;
  config.checkpoint_steps = 11;
  config.optimizer = {.kind = OptimizerKind::kSgd,
                      .beta1 = 0.8f,
                      .beta2 = 0.99f,
                      .epsilon = 1e-7f,
                      .momentum = 0.5f,
                      .weight_decay = 0.3f};
  config.rate = 1.0f / 3;  // needs all digits of a float
  config.schedule = ScheduleKind::kCosine;
  config.warmup_epochs = 2;
  config.final_rate = 0.125f;
  config.label_smoothing = 0.1f;
  config.ema_decay = 0.999f;
  config.freeze = {Freeze::Part::kBlocks, 5};
  config.batch_norms = BatchNorms::kFrozen;
  config.bn_momentum = 0.875f;
  config.layer_decay = 0.75f;
  config.augment = {.rotation_degrees = 1,
                    .scale = 0.2f,
                    .shift = 0.3f,
                    .perspective = 0.1f,
                    .brightness = 0.5f,
                    .contrast = 0.6f,
                    .blur_probability = 0.7f,
                    .blur_sigma = 8,
                    .erase_probability = 0.9f,
                    .erase_area = 0.15f};
  config.precision = Precision::kBf16;
  config.impl = ImplChoice::kReference;
  config.threads = 5;
  config.seed = 1'234'567'890'123'456'789;

  const std::string text = to_toml(config);
  const RunConfig again = run_config_from_toml(text, "run.toml");

  EXPECT_EQ(to_toml(again), text);
  EXPECT_EQ(again.data, config.data);
  EXPECT_EQ(again.rate, config.rate);
  EXPECT_EQ(again.width, 0.35f);
  EXPECT_EQ(again.head, Head::kNotebook);
  EXPECT_EQ(again.weights, config.weights);
  EXPECT_EQ(again.optimizer.kind, OptimizerKind::kSgd);
  EXPECT_EQ(again.seed, config.seed);
  EXPECT_EQ(again.precision, Precision::kBf16);
  EXPECT_EQ(again.augment.blur_sigma, 8);
  EXPECT_EQ(again.freeze, config.freeze);
  EXPECT_EQ(again.batch_norms, BatchNorms::kFrozen);
  EXPECT_EQ(again.bn_momentum, 0.875f);
  EXPECT_EQ(again.layer_decay, 0.75f);
}

TEST(RunConfigToml, KnowsTf32WhereTheDeviceDoes) {
  RunConfig config;
  config.precision = Precision::kTf32;
  config.device = DeviceKind::kCuda;
  EXPECT_EQ(run_config_from_toml(to_toml(config), "run.toml").precision, Precision::kTf32);
  validate(config);
  config.device = DeviceKind::kCpu;
  EXPECT_THROW(validate(config), UsageError);
}

TEST(RunConfigToml, StartsFromThePresetThatTheFileNames) {
  const RunConfig config = run_config_from_toml("[run]\npreset = \"notebook\"\n[training]\nbatch = 8\n", "my.toml");
  EXPECT_EQ(config.epochs, 10);
  EXPECT_EQ(config.batch, 8);
  EXPECT_EQ(config.optimizer.kind, OptimizerKind::kAdam);
}

TEST(RunConfigToml, TakesAWholeNumberWhereANumberIsWanted) {
  EXPECT_EQ(run_config_from_toml("[augment]\nrotation_degrees = 10", "my.toml").augment.rotation_degrees, 10.0f);
}

TEST(RunConfigToml, RefusesWhatItDoesNotKnowAndGuesses) {
  EXPECT_THAT(refusal_of("[training]\nepoch = 3"),
              HasSubstr("my.toml: unknown key \"training.epoch\" (line 2), did you mean \"training.epochs\"?"));
  EXPECT_THAT(refusal_of("[trainning]\nepochs = 3"), HasSubstr("did you mean \"training\"?"));
  EXPECT_THAT(refusal_of("epochs = 3"), HasSubstr("unknown key \"epochs\""));
  EXPECT_THAT(refusal_of("run = 3"), HasSubstr("must be a section"));
  EXPECT_THAT(refusal_of("[machine]\nprecision = \"fp23\""), HasSubstr("did you mean \"fp32\"?"));
  EXPECT_THAT(refusal_of("[run]\npreset = \"bset\""), HasSubstr("did you mean \"best\"?"));
}

TEST(RunConfigToml, RefusesTheWrongTypeWithItsLine) {
  EXPECT_THAT(refusal_of("[training]\nepochs = \"3\""), HasSubstr("training.epochs (line 2): expected a whole number"));
  EXPECT_THAT(refusal_of("[training]\nepochs = 3.5"), HasSubstr("expected a whole number"));
  EXPECT_THAT(refusal_of("[training]\nepochs = 3000000000"), HasSubstr("expected a whole number in range"));
  EXPECT_THAT(refusal_of("[run]\nseed = -1"), HasSubstr("expected a whole number in range"));
  EXPECT_THAT(refusal_of("[run]\narch = 1"), HasSubstr("expected text"));
  EXPECT_THAT(refusal_of("[run\n"), HasSubstr("my.toml: not TOML in line"));
}

TEST(RunConfigPreset, NotebookIsKerasDefaultsWhateverWasSetBefore) {
  RunConfig config;
  apply_preset(config, "best");
  config.seed = 1;
  apply_preset(config, "notebook");
  EXPECT_EQ(config.preset, "notebook");
  EXPECT_EQ(config.optimizer.kind, OptimizerKind::kAdam);
  EXPECT_EQ(config.optimizer.epsilon, 1e-7f);
  EXPECT_EQ(config.rate, 1e-3f);
  EXPECT_EQ(config.schedule, ScheduleKind::kConstant);
  EXPECT_EQ(config.batch, 32);
  EXPECT_EQ(config.epochs, 10);
  EXPECT_EQ(config.precision, Precision::kF32);
  EXPECT_EQ(config.seed, 1234u);
  EXPECT_EQ(config.label_smoothing, 0);
  EXPECT_EQ(config.optimizer.weight_decay, 0);
  EXPECT_FALSE(config.augment.enabled());
}

TEST(RunConfigPreset, BestAugments) {
  RunConfig config;
  apply_preset(config, "best");
  EXPECT_TRUE(config.augment.enabled());
  EXPECT_EQ(config.optimizer.kind, OptimizerKind::kAdamW);
}

TEST(RunConfigPreset, EachArchHasItsOwnBest) {
  RunConfig cnn, mlp{.arch = "mlp"};
  apply_preset(cnn, "best");
  apply_preset(mlp, "best");
  EXPECT_EQ(cnn.input_range, InputRange::kUnit);
  EXPECT_EQ(mlp.input_range, InputRange::kCentred);
  EXPECT_LT(mlp.rate, cnn.rate);
  EXPECT_EQ(model_spec(mlp, 53).dropout, mlp.dropout);
  EXPECT_EQ(model_spec(mlp, 53).input_range, InputRange::kCentred);
  apply_preset(mlp, "notebook");
  EXPECT_EQ(mlp.input_range, InputRange::kUnit);
  EXPECT_EQ(mlp.image_size, 224);
  EXPECT_EQ(mlp.dropout, 0.5f);
}

TEST(RunConfigPreset, ReachesTheModelThatIsBuilt) {
  RunConfig c{.arch = "mobilenetv2", .width = 0.35f};
  apply_preset(c, "transfer");
  EXPECT_FALSE(c.augment.enabled()) << "features are computed once";
  EXPECT_EQ(build_model(c.arch, model_spec(c, 53)).trainable_count(), 1280 * 53 + 53);
  apply_preset(c, "finetune");
  const Graph all = build_model(c.arch, model_spec(c, 53));
  EXPECT_EQ(all.trainable_count(), all.parameter_count() - 14'080);
  EXPECT_LT(all.layers()[2].rate_scale, 1.0f);
  EXPECT_GT(c.ema_decay, 0);
  EXPECT_EQ(c.bn_momentum, 0.99f);
  EXPECT_EQ(model_spec(c, 53).fine_tuning.momentum, 0.99f);
}

TEST(RunConfigPreset, TheNotebooksMobileNetsAreItsOwnWithItsMistakes) {
  RunConfig c{.arch = "mobilenetv2"};
  apply_preset(c, "notebook-transfer");
  const Graph transfer = build_model(c.arch, model_spec(c, 53));
  EXPECT_EQ(transfer.parameter_count(), 1'745'595);
  EXPECT_EQ(transfer.trainable_count(), 53'106);
  EXPECT_EQ(transfer.input_shape(), (Shape{1, 128, 128, 3}));
  EXPECT_EQ(c.input_range, InputRange::kUnscaled);
  EXPECT_EQ(c.rate, 1e-3f);
  apply_preset(c, "notebook-finetune");
  const Graph finetune = build_model(c.arch, model_spec(c, 53));
  EXPECT_EQ(finetune.parameter_count(), 1'827'582);
  EXPECT_EQ(finetune.trainable_count(), 135'093);
  EXPECT_EQ(c.rate, 1e-4f);
  EXPECT_EQ(c.epochs, 10);
  for (const char* name : {"notebook-transfer", "notebook-finetune"})
    EXPECT_THAT(preset_named(name).notes, testing::Contains(HasSubstr("gets 0..255"))) << name;
  apply_preset(c, "notebook");
  EXPECT_EQ(c.image_size, 128);
  EXPECT_EQ(c.freeze, Freeze{});
}

TEST(RunConfigPreset, OfPretrainedWeightsIsRefusedForOtherModels) {
  RunConfig c;
  EXPECT_THAT(message_of([&] { apply_preset(c, "finetune"); }),
              HasSubstr("the preset finetune is for mobilenetv2, not cnn: use --arch mobilenetv2"));
}

class RunConfigValidate : public testing::TestWithParam<std::pair<const char*, std::function<void(RunConfig&)>>> {};

TEST_P(RunConfigValidate, RefusesTheValueAndNamesIt) {
  const auto& [name, spoil] = GetParam();
  RunConfig config;
  EXPECT_NO_THROW(validate(config));
  spoil(config);
  EXPECT_THAT(message_of([&] { validate(config); }), HasSubstr(name));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, RunConfigValidate,
    testing::Values(std::pair{"epochs = 0", [](RunConfig& c) { c.epochs = 0; }},
                    std::pair{"batch = 0", [](RunConfig& c) { c.batch = 0; }},
                    std::pair{"learning rate = -1", [](RunConfig& c) { c.rate = -1; }},
                    std::pair{"learning rate = nan", [](RunConfig& c) { c.rate = NAN; }},
                    std::pair{"did you mean \"cnn\"?", [](RunConfig& c) { c.arch = "ccn"; }},
                    std::pair{"cnn has one width: leave out the width 0.5", [](RunConfig& c) { c.width = 0.5f; }},
                    std::pair{"cnn has one head, linear", [](RunConfig& c) { c.head = Head::kNotebook; }},
                    std::pair{"image size = 7", [](RunConfig& c) { c.image_size = 7; }},
                    std::pair{"dropout = 1", [](RunConfig& c) { c.dropout = 1; }},
                    std::pair{"mobilenetv2 has the input range of its weights",
                              [](RunConfig& c) { c.arch = "mobilenetv2", c.input_range = InputRange::kCentred; }},
                    std::pair{"the preset transfer needs pre-trained weights: give --weights FILE",
                              [](RunConfig& c) { c.arch = "mobilenetv2", apply_preset(c, "transfer"); }},
                    std::pair{"--freeze blocks:2 needs pre-trained weights",
                              [](RunConfig& c) {
                                c.arch = "mobilenetv2", c.freeze = {Freeze::Part::kBlocks, 2};
                              }},
                    std::pair{"cnn has no pre-trained features to freeze",
                              [](RunConfig& c) { c.freeze = {Freeze::Part::kBackbone}; }},
                    std::pair{"batch norm momentum = 1", [](RunConfig& c) { c.bn_momentum = 1; }},
                    std::pair{"layer decay = 0", [](RunConfig& c) { c.layer_decay = 0; }},
                    std::pair{"layer decay = 1.5", [](RunConfig& c) { c.layer_decay = 1.5f; }},
                    std::pair{"label smoothing = 1", [](RunConfig& c) { c.label_smoothing = 1; }},
                    std::pair{"EMA decay = nan", [](RunConfig& c) { c.ema_decay = NAN; }},
                    std::pair{"warm-up epochs = inf", [](RunConfig& c) { c.warmup_epochs = INFINITY; }},
                    std::pair{"perspective must be from 0 to 0.2, got 0.5",
                              [](RunConfig& c) { c.augment.perspective = 0.5f; }},
                    std::pair{"threads = -1", [](RunConfig& c) { c.threads = -1; }},
                    std::pair{"seed = 18446744073709551615", [](RunConfig& c) { c.seed = ~std::uint64_t{0}; }},
                    std::pair{"use one way", [](RunConfig& c) { c.data = "a", c.data_train = "b"; }},
                    std::pair{"without --train", [](RunConfig& c) { c.data_valid = "b"; }}));

}  // namespace
}  // namespace cudacards
