// From a foreign file to our own, and from there into a run: widths, classifiers, labels, folded batch norms, heads.

#include "host/train/import_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "host/data/picture.h"
#include "host/graph/plan.h"
#include "host/train/checkpoint.h"
#include "host/train/initial_weights.h"
#include "host/train/model.h"
#include "host/train/trainer.h"
#include "host/train/verify_weights.h"
#include "tests/support/error_text.h"
#include "tests/support/pictures.h"
#include "tests/support/small_run.h"
#include "tests/support/temporary_folder.h"
#include "weights/manifest.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::error_text;
using testing_support::SmallRun;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;

constexpr float kWidth = 0.35f;

/// A folded file of the model as weights/convert.py makes it of TFLite: `conv`/weights, `conv`/bias, classifier.
void write_folded(const std::string& path, int classes) {
  const Graph graph =
      build_model("mobilenetv2", {.classes = classes, .width_multiplier = kWidth, .head = Head::kImagenet});
  Parameters parameters(graph);
  parameters.initialise(5);
  std::vector<TensorView> tensors;
  std::vector<float> bias(2048);
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = 0.1f * static_cast<float>(i % 7) - 0.2f;
  for (const Parameter& p : parameters.list()) {
    const Layer& layer = graph.layers()[static_cast<std::size_t>(p.layer)];
    if (p.spec.name != "weights" && !p.name.starts_with("classifier")) continue;
    tensors.push_back(float_tensor(p.name, p.spec.shape.sizes(), parameters.values(p)));
    if (p.spec.name == "weights" && !p.name.starts_with("classifier"))
      tensors.push_back(float_tensor(layer.name + "/bias", {layer.shape[3]},
                                     std::span(bias).first(static_cast<std::size_t>(layer.shape[3]))));
  }
  write_safetensors(path, tensors, {});
}

class ImportWeights : public testing::Test {
 protected:
  ImportOptions options(const std::string& source, const std::string& out) const {
    ImportOptions o;
    o.source = folder_ / source;
    o.out = folder_ / out;
    o.image_size = 64;
    return o;
  }
  std::vector<float> logits(const std::string& checkpoint, bool batch_statistics = false) {
    const SafetensorsFile file = SafetensorsFile::open(folder_ / checkpoint);
    const Graph graph = build_model("mobilenetv2", read_weights_info(file).spec());
    Parameters parameters(graph);
    load_parameters(file, parameters);
    Plan plan = Plan::make(graph, parameters, {.batch = 4, .mode = batch_statistics ? Mode::kTrain : Mode::kInfer});
    std::vector<std::uint8_t> pixels(std::size_t{4} * 64 * 64 * 3);
    std::vector<const std::uint8_t*> images;
    for (std::size_t i = 0; i < 4; ++i) {
      images.push_back(pixels.data() + i * 64 * 64 * 3);
      read_picture(pictures_[i], 64, 64, pixels.data() + i * 64 * 64 * 3);
    }
    plan.forward({.images = images, .transforms = {}}, Step{.training = batch_statistics});
    return {plan.logits(), plan.logits() + std::ptrdiff_t{4} * graph.classes()};
  }
  void SetUp() override {
    testing_support::write_class(folder_.path() / "pictures", 4, 7, 64);
    for (int i = 0; i < 4; ++i) pictures_.push_back(folder_ / ("pictures/00" + std::to_string(i) + ".jpg"));
  }

  const TemporaryFolder folder_;
  std::vector<std::string> pictures_;
};

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(a[i] - b[i])));
    scale = std::max(scale, static_cast<double>(std::abs(b[i])));
  }
  return largest / scale;
}

TEST_F(ImportWeights, AClassifierBecomesACheckpointWithItsWidthAndNames) {
  write_folded(folder_ / "folded", kImagenetLogits);
  const ImportResult result = import_weights(options("folded", "f.safetensors"));
  EXPECT_EQ(result.info.width, kWidth);
  EXPECT_TRUE(result.report.folded);
  ASSERT_EQ(result.info.classes.size(), 1001u);
  EXPECT_EQ(result.info.classes[1000], "class 1000");
  Model model = Model::load(folder_ / "f.safetensors", {.batch = 1});
  EXPECT_EQ(model.classes(), result.info.classes);
  EXPECT_EQ(model.height(), 64);
  EXPECT_THAT(verify_weights(folder_ / "f.safetensors", {}), HasSubstr("262 tensors of mobilenetv2 for 1001 classes"));
}

TEST_F(ImportWeights, LabelsNameTheClasses) {
  write_folded(folder_ / "folded", kImagenetLogits);
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += (i == 3 || i == 7 ? "crane" : "class of line " + std::to_string(i)) + "\r\n";
  write_bytes(folder_ / "labels.txt", lines);
  ImportOptions o = options("folded", "f.safetensors");
  o.labels = read_labels(folder_ / "labels.txt");
  const auto classes = import_weights(o).info.classes;
  EXPECT_EQ(classes[0], "background") << "a list of 1,000 leaves it out";
  EXPECT_EQ(classes[4], "crane (3)");
  EXPECT_EQ(classes[8], "crane (7)");
  EXPECT_EQ(classes[1], "class of line 0");
  o.labels.resize(5);
  EXPECT_THAT(error_text([&] { import_weights(o); }), HasSubstr("has a classifier of 1001 classes, the labels name 5"));
  write_bytes(folder_ / "labels.txt", "a\n\nb");
  EXPECT_THAT(error_text([&] { read_labels(folder_ / "labels.txt"); }), HasSubstr("line 2 is empty"));
}

TEST_F(ImportWeights, CalibrationLeavesResultsAsTheyWere) {
  write_folded(folder_ / "folded", 1000);
  import_weights(options("folded", "assumed.safetensors"));
  ImportOptions o = options("folded", "calibrated.safetensors");
  o.calibrate = pictures_;
  import_weights(o);
  const auto assumed = logits("assumed.safetensors"), calibrated = logits("calibrated.safetensors");
  EXPECT_LT(largest_difference(calibrated, assumed), 1e-4);
  // Over the pictures of the calibration, batch statistics are the running ones. (What is assumed is far from them.)
  EXPECT_LT(largest_difference(logits("calibrated.safetensors", true), assumed), 1e-3);
  EXPECT_GT(largest_difference(logits("assumed.safetensors", true), assumed), 1e-2);
  o.calibrate = {folder_ / "none.jpg"};
  EXPECT_THAT(error_text([&] { import_weights(o); }), HasSubstr("cannot calibrate with " + folder_ / "none.jpg"));
}

TEST_F(ImportWeights, CalibrationCountsItsPicturesAndCanBeStopped) {
  write_folded(folder_ / "folded", 1000);
  ImportOptions o = options("folded", "calibrated.safetensors");
  for (int i = 0; i < 5; ++i) o.calibrate.insert(o.calibrate.end(), pictures_.begin(), pictures_.end());
  std::vector<std::int64_t> counted;
  import_weights(o, [&](std::int64_t done, std::int64_t all) {
    EXPECT_EQ(all, 20);
    counted.push_back(done);
  });
  EXPECT_THAT(counted, ElementsAre(16, 20)) << "by batches";
  o.out = folder_ / "stopped.safetensors";
  EXPECT_EQ(error_text([&] { import_weights(o, [](auto, auto) { throw Error("stopped"); }); }), "stopped");
  EXPECT_FALSE(std::filesystem::exists(o.out));
}

TEST_F(ImportWeights, StatisticsThatAreThereAreNotMeasuredAgain) {
  write_folded(folder_ / "folded", 1000);
  import_weights(options("folded", "f.safetensors"));
  ImportOptions o = options("f.safetensors", "again.safetensors");
  o.calibrate = pictures_;
  EXPECT_THAT(error_text([&] { import_weights(o); }), HasSubstr("leave out the calibration"));
  o.calibrate.clear();
  o.width = 0.5f;
  EXPECT_THAT(error_text([&] { import_weights(o); }), HasSubstr("of another shape are"));
}

class RunFromWeights : public testing::Test {
 protected:
  RunFromWeights() {
    write_folded(folder_ / "folded", 1000);
    ImportOptions o;
    o.source = folder_ / "folded";
    o.out = weights_;
    import_weights(o);
  }
  RunConfig config(const std::string& run) const {
    RunConfig c = run_.config("mobilenetv2", run);
    c.precision = Precision::kF32;
    c.width = kWidth;
    c.weights = weights_;
    c.epochs = 1;
    return c;
  }

  const TemporaryFolder folder_;
  const SmallRun run_;
  const std::string weights_ = folder_ / "f.safetensors";
};

TEST_F(RunFromWeights, TakesTheFeaturesAndStartsTheHeadFresh) {
  const RunConfig c = config("run");
  const Graph graph = build_model(c.arch, model_spec(c, 3));
  const InitialWeights weights = read_initial_weights(c, graph, {"a", "b", "c"});
  EXPECT_EQ(weights.values.size(), 260u);
  EXPECT_THAT(weights.fresh, ElementsAre("head/weights", "head/bias"));
  EXPECT_EQ(weights.described(), "260 tensors from " + weights_ + "; head/weights, head/bias start fresh");
  Parameters parameters(graph);
  parameters.initialise(1);
  weights.apply(parameters);
  const SafetensorsFile file = SafetensorsFile::open(weights_);
  const Parameter& p = *parameters.find("block_07/expand/weights");
  const auto expected = file.read_floats(p.name, p.spec.shape.sizes());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), parameters.values(p).begin()));
}

TEST_F(RunFromWeights, TrainsKeepsTheOriginAndResumes) {
  const TrainResult result = train({.config = config("run"), .quiet = true});
  const Checkpoint checkpoint = read_checkpoint(result.run + "/best.safetensors");
  EXPECT_EQ(checkpoint.config.weights, weights_);
  EXPECT_EQ(checkpoint.config.width, kWidth);
  std::filesystem::remove(weights_);  // a run that is resumed has its own
  EXPECT_EQ(error_text([&] { train({.resume = result.run, .quiet = true}); }), "(no error)");
  // Another run may start from this one, head and all, where its classes are the same.
  RunConfig next = config("next");
  next.weights = result.run + "/best.safetensors";
  const Graph graph = build_model(next.arch, model_spec(next, 3));
  EXPECT_THAT(read_initial_weights(next, graph, checkpoint.classes).fresh, ElementsAre());
  auto reordered = checkpoint.classes;
  std::swap(reordered[0], reordered[1]);
  EXPECT_THAT(read_initial_weights(next, graph, reordered).fresh, ElementsAre("head/weights", "head/bias"));
}

TEST_F(RunFromWeights, ANotebookHeadNeedsTheClassifier) {
  RunConfig c = config("run");
  c.head = Head::kNotebook;
  const Graph notebook = build_model(c.arch, model_spec(c, 3));
  // A classifier of 1,000 scores where the head wants 1,001.
  EXPECT_THAT(error_text([&] {
                read_initial_weights(c, notebook, {"a", "b", "c"});
              }),
              HasSubstr("tensor \"classifier/weights\" has the shape (1000, 1280), (1001, 1280) is expected"));
  write_folded(folder_ / "folded", kImagenetLogits);
  ImportOptions o;
  o.source = folder_ / "folded";
  o.out = weights_;
  import_weights(o);
  EXPECT_EQ(read_initial_weights(c, notebook, {"a", "b", "c"}).values.size(), 262u);
}

TEST_F(RunFromWeights, RefusesWeightsOfAnotherModel) {
  const auto refusal = [&](auto&& change) {
    RunConfig c = config("run");
    change(c);
    return error_text([&] { read_initial_weights(c, build_model(c.arch, model_spec(c, 3)), {"a", "b", "c"}); });
  };
  EXPECT_THAT(refusal([](RunConfig& c) { c.width = 0.5f; }),
              HasSubstr("has weights of width 0.35, the run's width is 0.5: use --width 0.35"));
  EXPECT_THAT(refusal([](RunConfig& c) { c.arch = "cnn", c.width = 1; }),
              HasSubstr("has weights of mobilenetv2, the run trains cnn"));
  EXPECT_THAT(refusal([&](RunConfig& c) { c.weights = folder_ / "folded"; }),
              HasSubstr("is not a file of cudacards' own: convert it with cudacards weights import"));
  EXPECT_THAT(refusal([&](RunConfig& c) { c.weights = folder_ / "none"; }), HasSubstr("cannot open"));
}

TEST_F(RunFromWeights, TheImagenetHeadIsNotForOtherClasses) {
  RunConfig c = config("run");
  c.head = Head::kImagenet;
  EXPECT_THAT(error_text([&] { train({.config = c, .quiet = true}); }), HasSubstr("ImageNet's 1001 classes"));
}

TEST(VerifyWeights, ComparesFetchedFilesWithTheList) {
  const TemporaryFolder folder;
  const ManifestEntry entry{"w", "weights", "w.bin", "https://x/w.bin", std::string(64, '0'), "none", 3};
  write_bytes(folder / "w.bin", "abcd");
  EXPECT_THAT(error_text([&] { verify_weights(folder / "w.bin", {entry}); }), HasSubstr("has 4 bytes, w has 3"));
  write_bytes(folder / "w.bin", "abc");
  EXPECT_THAT(error_text([&] { verify_weights(folder / "w.bin", {entry}); }),
              HasSubstr("SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, w has 000"));
}

}  // namespace
}  // namespace cudacards
