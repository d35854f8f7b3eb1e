// Runs on frozen features: they are computed once, kept, and taken again only where every bit of them would be the
// same.

#include "host/train/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include <fmt/format.h>

#include "host/runtime/threads.h"
#include "host/train/checkpoint.h"
#include "host/train/evaluate.h"
#include "host/train/feature_file.h"
#include "host/train/initial_weights.h"
#include "host/train/presets.h"
#include "host/train/trainer.h"
#include "host/train/training_memory.h"
#include "host/train/weights_file.h"
#include "tests/support/error_text.h"
#include "tests/support/log_watch.h"
#include "tests/support/pictures.h"
#include "tests/support/small_run.h"
#include "tests/support/tensor_hash.h"
#include "tests/support/tested_device.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing_support::error_text;
using testing_support::hash_of_tensors;
using testing_support::logged_notes;
using testing_support::read_bytes;
using testing_support::SmallRun;
using testing_support::write_bytes;

class FeatureRun : public ::testing::Test {
 protected:
  static constexpr float kWidth = 0.35f;

  void SetUp() override {
    setenv("XDG_CACHE_HOME", small_.run("cache").c_str(), 1);
    write_weights(weights_, 7);
  }
  void TearDown() override { unsetenv("XDG_CACHE_HOME"); }

  void write_weights(const std::string& path, std::uint64_t seed) const {
    const Graph graph = build_model("mobilenetv2", {.classes = 3, .width_multiplier = kWidth});
    Parameters parameters(graph);
    parameters.initialise(seed);
    std::vector<TensorView> tensors;
    for (const Parameter& p : parameters.list()) {
      if (!p.name.starts_with("head"))
        tensors.push_back(float_tensor(p.name, p.spec.shape.sizes(), parameters.values(p)));
    }
    write_safetensors(path, tensors, weights_metadata({.arch = "mobilenetv2", .width = kWidth}));
  }

  RunConfig config(const std::string& name) const {
    RunConfig config = small_.config("mobilenetv2", name);
    apply_preset(config, "transfer");
    config.weights = weights_;
    config.image_size = 32;
    config.epochs = 2;
    config.batch = 8;
    config.ema_decay = 0.9f;
    return config;
  }

  static std::string train_quietly(const RunConfig& config) { return train({.config = config, .quiet = true}).run; }

  std::vector<std::string> cached() const {
    std::vector<std::string> files;
    std::error_code none_yet;
    for (const auto& file : fs::directory_iterator(small_.run("cache/cudacards/features"), none_yet))
      files.push_back(file.path().string());
    return files;
  }

  static std::size_t notes_with(const std::string& part) {
    const auto notes = logged_notes();
    return static_cast<std::size_t>(
        std::ranges::count_if(notes, [&](const auto& note) { return note.find(part) != std::string::npos; }));
  }

  static void expect_same_run(const std::string& a, const std::string& b) {
    for (const char* file : {"/last.safetensors", "/best.safetensors"})
      EXPECT_EQ(hash_of_tensors(a + file), hash_of_tensors(b + file)) << file;
  }

  SmallRun small_;
  const std::string weights_ = small_.run("weights.safetensors");
};

TEST_F(FeatureRun, LearnsAndItsBestIsTheWholeNetwork) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    RunConfig c = config(fmt::format("run-{}", name_of(precision)));
    c.epochs = 10;
    c.precision = precision;
    const TrainResult result = train({.config = c, .quiet = true});
    EXPECT_LT(result.epochs.back().loss, result.epochs.front().loss);
    const Checkpoint best = read_checkpoint(result.run + "/best.safetensors");
    Model model = Model::load(result.run + "/best.safetensors", {.batch = 8});
    const EvalReport report = evaluate(model, small_.data(), "valid");
    EXPECT_NEAR(report.loss, best.state.best_val_loss, precision == Precision::kBf16 ? 3e-2 : 1e-4);
  }
}

TEST_F(FeatureRun, TheSecondRunTakesThemFromTheCacheAndGivesTheSameBytes) {
  const std::string first = train_quietly(config("first"));
  ASSERT_EQ(cached().size(), 1u);
  const auto written = fs::last_write_time(cached()[0]);
  const std::string second = train_quietly(config("second"));
  expect_same_run(first, second);
  ASSERT_EQ(cached().size(), 1u);
  EXPECT_EQ(fs::last_write_time(cached()[0]), written);
}

TEST_F(FeatureRun, TakesWhatTheCacheHolds) {
  const std::string first = train_quietly(config("first"));
  const std::string path = cached().at(0);
  const std::string key = fs::path(path).stem().string();
  const FeatureCache cache = FeatureCache::of_user();
  SplitFeatures features = cache.read(key, 1280, 30, 12).value();
  for (float& value : features.train.values) value *= 2;
  cache.write(key, features);
  EXPECT_NE(hash_of_tensors(train_quietly(config("second")) + "/last.safetensors"),
            hash_of_tensors(first + "/last.safetensors"));
}

TEST_F(FeatureRun, ADamagedOrForeignFileIsComputedAgainWithOneLine) {
  const std::string first = train_quietly(config("first"));
  const std::string path = cached().at(0), whole = read_bytes(path);
  const std::size_t data = whole.size() - 1280 * 4;  // in the last row
  const auto with_byte = [&](std::size_t at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    return bytes;
  };
  const std::string key = fs::path(path).stem().string();
  const std::string other_key = std::string(key).replace(0, 4, key.starts_with("0000") ? "1111" : "0000");
  std::string foreign = whole, other_shape;
  foreign.replace(foreign.find(key), key.size(), other_key);
  {
    FeatureCache(small_.run("elsewhere")).write(key, {{1, {1, 2, 3}}, {1, {4}}});
    other_shape = read_bytes(FeatureCache(small_.run("elsewhere")).path(key));
  }
  std::size_t lines = 0;
  int run = 0;
  for (const std::string& bytes :
       {std::string(), whole.substr(0, 5), whole.substr(0, 200), whole.substr(0, whole.size() - 1), whole + "x",
        with_byte(3), with_byte(9), with_byte(data), with_byte(whole.size() - 1), foreign, other_shape}) {
    write_bytes(path, bytes);
    expect_same_run(first, train_quietly(config(fmt::format("again-{}", run++))));
    EXPECT_EQ(notes_with("cached features are computed again: "), ++lines) << run;
    EXPECT_EQ(read_bytes(path), whole) << run;
  }
}

TEST_F(FeatureRun, AFolderThatCannotBeWrittenCostsOneLine) {
  const std::string first = train_quietly(config("first"));
  write_bytes(small_.run("file"), "not a folder");
  setenv("XDG_CACHE_HOME", small_.run("file").c_str(), 1);
  expect_same_run(first, train_quietly(config("second")));
  EXPECT_EQ(notes_with("features are not kept for the next time: "), 1u);
}

TEST_F(FeatureRun, TheKeyIsOfWeightsDataAndArithmeticAndOfNothingElse) {
  const std::string other_weights = small_.run("others.safetensors");
  write_weights(other_weights, 8);
  using Change = std::function<void(RunConfig&)>;
  const std::vector<std::pair<const char*, Change>> same = {
      {"rate", [](RunConfig& c) { c.rate = 0.5f; }},
      {"seed", [](RunConfig& c) { c.seed = 9; }},
      {"epochs", [](RunConfig& c) { c.epochs = 1; }},
      {"smoothing", [](RunConfig& c) { c.label_smoothing = 0; }},
  };
  const std::vector<std::pair<const char*, Change>> other = {
      {"weights", [&](RunConfig& c) { c.weights = other_weights; }},
      {"size", [](RunConfig& c) { c.image_size = 40; }},
      {"precision", [](RunConfig& c) { c.precision = Precision::kBf16; }},
      {"other-data",
       [&](RunConfig& c) { c.data_train = c.data + "/train", c.data_valid = c.data + "/train", c.data = ""; }},
      {"implementation", [](RunConfig& c) { c.impl = ImplChoice::kReference; }},
      {"threads", [](RunConfig& c) { c.threads = 1; }},
  };
  std::size_t files = 1;
  (void)train_quietly(config("plain"));
  ASSERT_EQ(cached().size(), files);
  for (const auto& [name, change] : same) {
    RunConfig c = config(name);
    change(c);
    (void)train_quietly(c);
    EXPECT_EQ(cached().size(), files) << name;
  }
  for (const auto& [name, change] : other) {
    RunConfig c = config(name);
    c.epochs = 1;
    change(c);
    (void)train_quietly(c);
    EXPECT_EQ(cached().size(), ++files) << name;
  }
}

TEST_F(FeatureRun, AChangedPictureMakesOtherFeatures) {
  (void)train_quietly(config("before"));
  const std::string picture = small_.data() + "/train/red suit/000.jpg";
  fs::copy_file(small_.data() + "/train/red suit/001.jpg", picture, fs::copy_options::overwrite_existing);
  (void)train_quietly(config("after"));
  EXPECT_EQ(cached().size(), 2u);
}

TEST_F(FeatureRun, AugmentationDoesWithoutThem) {
  RunConfig c = config("augmented");
  const Graph graph = build_model(c.arch, model_spec(c, 3));
  EXPECT_TRUE(feature_layer(c, graph).has_value());
  c.augment.shift = 0.1f;
  EXPECT_FALSE(feature_layer(c, graph).has_value());
  (void)train_quietly(c);
  EXPECT_TRUE(cached().empty());
}

TEST_F(FeatureRun, ContinuesByteForByte) {
  const std::string whole = train_quietly(config("whole"));
  for (const bool from_cache : {true, false}) {
    std::atomic<int> stop = 0;
    const auto stop_at = [&](std::uint64_t now) { stop = now >= 5 ? 1 : 0; };
    const RunConfig c = config(fmt::format("parts-{}", from_cache));
    const TrainResult first = train({.config = c, .quiet = true, .stop_requested = &stop, .on_step = stop_at});
    EXPECT_TRUE(first.stopped);
    if (!from_cache) fs::remove_all(small_.run("cache"));
    expect_same_run(whole, train({.resume = first.run, .quiet = true}).run);
  }
}

TEST_F(FeatureRun, StopsWhileTheyAreComputedAndLeavesNoRun) {
  RunConfig c = config("stopped");
  (void)train_quietly(config("known"));
  const Graph graph = build_model("mobilenetv2", {.height = 32,
                                                  .width = 32,
                                                  .classes = 3,
                                                  .width_multiplier = kWidth,
                                                  .fine_tuning = {.freeze = {Freeze::Part::kBackbone}}});
  Parameters parameters(graph);
  Progress progress(true);
  const std::atomic<int> never = 0;
  c.width = kWidth;
  const TrainingData data = decode_training_data(find_training_data(c, progress, &never), c, progress, &never);
  const std::atomic<int> stop = 2;
  EXPECT_THAT(error_text([&] {
                compute_features(c, graph, *feature_layer(c, graph), parameters, data, cpu_device(),
                                 counting("computing features", progress, &stop));
              }),
              HasSubstr("stopped while computing features"));
}

TEST_F(FeatureRun, WithoutMemoryNamesTheBatchWhoseFeaturesCanBeComputed) {
  RunConfig c = config("poor");
  c.width = kWidth;
  c.batch = 64;
  set_threads(c.threads);
  const Graph graph = build_model(c.arch, model_spec(c, 3));
  const Node layer = *feature_layer(c, graph);
  RunConfig fits = c;
  fits.batch = 20;
  TrainingMemory need = training_memory(graph.above(layer), fits, 42);
  need.features = feature_memory(fits, graph, layer, 42, {});
  EXPECT_THAT(error_text([&] { train({.config = c, .quiet = true, .memory = need.total()}); }),
              HasSubstr("the largest --batch that fits is 20"));
}

TEST_F(FeatureRun, TellsWhereANaNCameFrom) {
  RunConfig c = config("wild");
  c.rate = 1e30f;
  c.warmup_epochs = 0;
  EXPECT_THAT(error_text([&] { train_quietly(c); }), HasSubstr("training diverged: "));
}

TEST_F(FeatureRun, OnADeviceIsTheCpus) {
  if (testing::tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    RunConfig device = config(fmt::format("device-{}", name_of(precision)));
    device.precision = precision;
    device.image_size = 16;
    device.epochs = 1;
    RunConfig cpu = device;
    cpu.out = small_.run(fmt::format("cpu-{}", name_of(precision)));
    device.device = testing::tested_device()->kind();
    const TrainResult on_device = train({.config = device, .quiet = true}),
                      on_cpu = train({.config = cpu, .quiet = true});
    const double tolerance = precision == Precision::kBf16 ? 2e-2 : 2e-4;
    EXPECT_NEAR(on_device.epochs[0].loss / on_cpu.epochs[0].loss, 1, tolerance);
    EXPECT_NEAR(on_device.epochs[0].val_loss / on_cpu.epochs[0].val_loss, 1, tolerance);
  }
  EXPECT_EQ(cached().size(), 4u) << "each device has its own";
}

TEST(FeatureCacheFiles, TheOldestGoWhenThereAreMany) {
  const testing_support::TemporaryFolder folder;
  const FeatureCache cache(folder / "features");
  const auto key = [](std::size_t i) { return fmt::format("{:064x}", i); };
  const auto now = fs::file_time_type::clock::now();
  for (std::size_t i = 0; i < FeatureCache::kFiles + 3; ++i) {
    cache.write(key(i), {{1, {static_cast<float>(i)}}, {1, {2}}});
    fs::last_write_time(cache.path(key(i)), now - std::chrono::hours(100 - i));
  }
  cache.write(key(99), {{1, {1}}, {1, {2}}});
  EXPECT_FALSE(cache.read(key(3), 1, 1, 1).has_value());
  EXPECT_EQ(cache.read(key(4), 1, 1, 1).value().train.values, std::vector<float>{4});
  EXPECT_TRUE(cache.read(key(99), 1, 1, 1).has_value());
}

}  // namespace
}  // namespace cudacards
