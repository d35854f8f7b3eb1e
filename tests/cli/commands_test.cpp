// What other programs and people rely on: JSON fields, exit codes, results on standard output and nothing else there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "host/data/deck/deck.h"
#include "host/runtime/cuda_device.h"
#include "host/runtime/emulated_device.h"
#include "host/train/checkpoint.h"
#include "models/registry.h"
#include "tests/cli/program.h"
#include "tests/support/log_watch.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using namespace testing_support;

namespace fs = std::filesystem;

constexpr int kSize = 16;  // pixels: the smallest model that is still the real one

std::vector<std::string> keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

/// A folder with an untrained model of two classes and a few pictures.
class CliCommands : public testing::Test {
 protected:
  CliCommands() {
    const std::vector<std::string> classes = {"joker", "king of hearts"};
    RunConfig config;
    config.image_size = kSize;
    const Graph graph = build_model(config.arch, {.height = kSize, .width = kSize, .classes = 2});
    Parameters parameters(graph);
    parameters.initialise(1);
    save_best(model_, parameters, parameters.values(), {config, classes, preprocessing_of(graph), {}});
    for (const std::string split : {"train", "valid"}) {
      for (const std::string& name : classes) add_pictures(split, name, split == "train" ? 4 : 2);
    }
  }

  void add_pictures(const std::string& split, const std::string& name, int count) {
    const auto& names = card_names();
    const int card = static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
    fs::create_directories(folder_.path() / "data" / split / name);
    for (int i = 0; i < count; ++i) {
      const DeckSplit deck = split == "train" ? DeckSplit::kTrain : DeckSplit::kValid;
      const std::vector<std::uint8_t> jpeg = draw_card_jpeg({.size = 48}, deck, card, i);
      write_bytes(folder_ / ("data/" + split + "/" + name + "/" + std::to_string(i) + ".jpg"),
                  {jpeg.begin(), jpeg.end()});
    }
  }

  Outcome run(std::vector<std::string> arguments, const std::string& input = "") {
    return run_program(
        Start{.arguments = std::move(arguments), .standard_input = input, .folder = folder_.path().string()});
  }

  std::vector<std::string> train_arguments(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"train",   "data", "--image-size", std::to_string(kSize),
                                          "--batch", "4",    "--threads",    "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  TemporaryFolder folder_;
  const std::string model_ = folder_ / "model.safetensors";
};

TEST(CliSummary, CountsTheNotebooksParameters) {
  for (const auto& [arch, total] : {std::pair{"cnn", 12'945'269}, std::pair{"mlp", 38'575'157}}) {
    const Outcome outcome = run_program({"summary", "--arch", arch, "--batch", "1", "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json summary = json::parse(outcome.out);
    EXPECT_THAT(keys_of(summary),
                testing::IsSupersetOf({"arch", "input", "layers", "parameters", "flops", "planned_bytes"}));
    EXPECT_EQ(summary["arch"], arch);
    EXPECT_EQ(summary["input"], json({224, 224, 3}));
    EXPECT_EQ(summary["parameters"], json({{"total", total}, {"trainable", total}, {"non_trainable", 0}}));
    EXPECT_GT(summary["planned_bytes"], 0);
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST(CliSummary, CountsTheNotebooksHeads) {
  struct Case {
    const char* head;
    int total, trainable;
  };
  for (const Case& c : {Case{"notebook", 1'745'595, 53'106}, Case{"notebook-finetune", 1'827'582, 135'093},
                        Case{"imagenet", 1'692'489, 1'692'489 - 14'080}}) {
    const Outcome outcome = run_program({"summary", "--arch", "mobilenetv2", "--width", "0.35", "--head", c.head,
                                         "--image-size", "128", "--batch", "1", "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json parameters = json::parse(outcome.out)["parameters"];
    EXPECT_EQ(parameters["total"], c.total) << c.head;
    EXPECT_EQ(parameters["trainable"], c.trainable) << c.head;
  }
}

TEST(CliSummary, CountsWhatAPresetOrAFreezeLetsLearn) {
  struct Case {
    std::vector<std::string> options;
    int total, trainable;
  };
  constexpr int kBackbone = 410'208, kHead = 1280 * 53 + 53, kNorms = 14'080;
  for (const Case& c :
       {Case{{"--preset", "notebook-transfer"}, 1'745'595, 53'106},
        Case{{"--preset", "notebook-finetune"}, 1'827'582, 135'093},
        Case{{"--preset", "transfer", "--width", "0.35"}, kBackbone + kHead, kHead},
        Case{{"--freeze", "backbone", "--width", "0.35"}, kBackbone + kHead, kHead},
        Case{{"--bn", "frozen", "--width", "0.35"}, kBackbone + kHead, kBackbone + kHead - 2 * kNorms}}) {
    std::vector<std::string> arguments = {"summary", "--arch", "mobilenetv2", "--batch", "1", "--json"};
    arguments.insert(arguments.end(), c.options.begin(), c.options.end());
    const Outcome outcome = run_program(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json parameters = json::parse(outcome.out)["parameters"];
    EXPECT_EQ(parameters["total"], c.total) << c.options[1];
    EXPECT_EQ(parameters["trainable"], c.trainable) << c.options[1];
  }
  const Outcome preset = run_program({"summary", "--arch", "mobilenetv2", "--preset", "notebook-transfer", "--json"});
  EXPECT_EQ(json::parse(preset.out)["input"], json({128, 128, 3}));
}

TEST(CliSummary, FitsATerminalOf80Columns) {
  const Outcome outcome = run_program({"summary", "--arch", "cnn"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("12,945,269"), HasSubstr("Trainable params")));
  EXPECT_LE(columns_of(outcome.out), 80u) << outcome.out;
}

TEST(CliSummary, PlanNamesImplementations) {
  const Outcome outcome =
      run_program({"summary", "--arch", "cnn", "--image-size", "32", "--plan", "--impl", "reference"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("reference"));
}

TEST(CliSummary, PlansForAnotherDevice) {
  if (!missing_emulator().empty()) GTEST_SKIP() << "skipped: this build has no emulator";
  const Outcome outcome =
      run_program({"summary", "--arch", "cnn", "--image-size", "32", "--plan", "--device", "emulated"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("hand:augment"), HasSubstr("hand:conv-pool"), HasSubstr("hand:dense")));
}

TEST(CliSummary, PlansForAGpuThatNeedNotBeThere) {
  const Outcome outcome = run_program({"summary", "--arch", "cnn", "--plan", "--device", "cuda"});
  EXPECT_EQ(outcome.exit_code, cuda_build().has_kernels ? 0 : 1) << outcome.err;
  if (cuda_build().has_kernels) {
    EXPECT_THAT(outcome.out, HasSubstr("hand:conv-pool"));
  } else {
    EXPECT_THAT(outcome.err, HasSubstr("--device cuda is not available: this build has no CUDA kernels"));
  }
}

TEST(CliDevice, AskedForByNameAndMissingIsAnError) {
  const Outcome outcome = run_program({"summary", "--device", "cuda:99"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("--device cuda:99 is not available: "));
}

TEST_F(CliCommands, EvalPrintsDocumentedJson) {
  const Outcome outcome = run({"eval", model_, "--data", "data", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json report = json::parse(outcome.out);
  EXPECT_THAT(keys_of(report),
              testing::UnorderedElementsAre("samples", "loss", "accuracy", "top5_accuracy", "per_class"));
  EXPECT_EQ(report["samples"], 4);
  EXPECT_EQ(report["top5_accuracy"], 1.0);  // two classes
  EXPECT_THAT(report["per_class"], SizeIs(2));
  EXPECT_EQ(report["per_class"][0]["label"], "joker");
  EXPECT_EQ(report["per_class"][0]["samples"], 2);
  EXPECT_THAT(lines_of(outcome.out), SizeIs(1));
}

TEST_F(CliCommands, EvalTakesABareFolderWhole) {
  const Outcome outcome = run({"eval", model_, "--data", "data/train"});
  EXPECT_THAT(outcome.out, HasSubstr("8 samples: loss "));
  EXPECT_THAT(outcome.err, HasSubstr("data/train: all 8 pictures; --split valid takes only those"));
}

TEST_F(CliCommands, EvalTableFits80Columns) { EXPECT_LE(columns_of(run({"eval", model_, "--data", "data"}).out), 80u); }

TEST_F(CliCommands, EvalRefusesClassesThatTheModelDoesNotKnow) {
  fs::rename(folder_ / "data/valid/joker", folder_ / "data/valid/jester");
  const Outcome outcome = run({"eval", model_, "--data", "data"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("jester"));
}

TEST_F(CliCommands, PredictPrintsAnObjectALine) {
  const Outcome outcome =
      run({"predict", model_, "data/valid/joker/0.jpg", "data/valid/king of hearts", "--json", "--top", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ASSERT_THAT(lines_of(outcome.out), SizeIs(3));
  const json first = json::parse(lines_of(outcome.out)[0]);
  EXPECT_THAT(keys_of(first), testing::UnorderedElementsAre("path", "label", "probability", "top"));
  EXPECT_EQ(first["path"], "data/valid/joker/0.jpg");
  ASSERT_THAT(first["top"], SizeIs(2));
  EXPECT_EQ(first["top"][0]["label"], first["label"]);
  EXPECT_GE(first["top"][0]["probability"], first["top"][1]["probability"]);
  EXPECT_NEAR(first["top"][0]["probability"].get<double>() + first["top"][1]["probability"].get<double>(), 1, 1e-6);
  EXPECT_EQ(json::parse(lines_of(outcome.out)[1])["path"], "data/valid/king of hearts/0.jpg");
}

TEST_F(CliCommands, PredictPrintsCsvWithAHeaderAndQuotes) {
  fs::copy(folder_ / "data/valid/joker/0.jpg", folder_ / "a, \"b\".jpg");
  const Outcome outcome = run({"predict", model_, "a, \"b\".jpg", "--csv", "--top", "1"});
  ASSERT_THAT(lines_of(outcome.out), SizeIs(2)) << outcome.err;
  EXPECT_EQ(lines_of(outcome.out)[0], "path,label,probability");
  EXPECT_THAT(lines_of(outcome.out)[1], testing::StartsWith("\"a, \"\"b\"\".jpg\","));
}

TEST_F(CliCommands, PredictReadsAPictureOrPathsFromStandardInput) {
  const std::string path = "data/valid/joker/0.jpg";
  const std::string by_name = run({"predict", model_, path}).out;
  const std::string picture = run({"predict", model_, "-"}, read_bytes(folder_ / path)).out;
  EXPECT_EQ(picture, "-" + by_name.substr(path.size()));
  EXPECT_EQ(run({"predict", model_, "-"}, path + "\n").out, by_name);
  EXPECT_EQ(run({"predict", model_, "-"}, path + "\r\n\r\n").out, by_name);
  EXPECT_EQ(run({"predict", model_, "-"}, path + std::string("\0", 1)).out, by_name);
  EXPECT_EQ(run({"predict", model_, "-"}).exit_code, 2);
}

TEST_F(CliCommands, PredictNamesBadFilesAndGoesOn) {
  write_bytes(folder_ / "bad.jpg", "no picture");
  write_bytes(folder_ / "cut.jpg", read_bytes(folder_ / "data/valid/joker/0.jpg").substr(0, 400));
  const ExpectWarning bad("bad.jpg: "), missing("missing.jpg: "), cut("cut.jpg: ");
  const Outcome outcome = run({"predict", model_, "bad.jpg", "missing.jpg", "cut.jpg", "data/valid/joker/0.jpg"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(lines_of(outcome.out), SizeIs(1));
}

TEST_F(CliCommands, PredictRefusesWhatIsNoCheckpoint) {
  write_bytes(folder_ / "no.safetensors", "no checkpoint");
  for (const std::string name : {"no.safetensors", "missing.safetensors", "data/valid/joker/0.jpg"}) {
    const Outcome outcome = run({"predict", name, "data"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.err, HasSubstr(name));
    EXPECT_THAT(lines_of(outcome.err), SizeIs(1));
  }
}

TEST_F(CliCommands, LanguageAndHomeChangeNothing) {
  const std::vector<std::string> arguments = {"predict", model_, "data", "--json"};
  const std::string expected = run(arguments).out;
  EXPECT_THAT(expected, Not(IsEmpty()));
  for (const std::string language : {"C", "de_DE.UTF-8", "tr_TR.UTF-8"}) {
    const Outcome outcome =
        run_program(Start{.arguments = arguments,
                          .environment = {"LANG=" + language, "LC_ALL=" + language, "HOME", "TERM", "COLUMNS=80"},
                          .folder = folder_.path().string()});
    EXPECT_EQ(outcome.out, expected) << language;
    EXPECT_EQ(outcome.exit_code, 0);
  }
}

TEST_F(CliCommands, AFullDiskBehindStandardOutputIsAFailure) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "skipped: no /dev/full";
  const Outcome outcome = run_program(
      Start{.arguments = {"predict", model_, "data"}, .folder = folder_.path().string(), .output_file = "/dev/full"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("No space left on device"));
}

TEST_F(CliCommands, TrainPrintsOnlyTheRunsFolder) {
  const Outcome outcome = run(train_arguments({"--epochs", "1"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "runs/cnn-1\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("Found 8 files belonging to 2 classes"), HasSubstr("epoch   1/1"),
                                 Not(HasSubstr("\033"))));
  EXPECT_THAT(lines_of(outcome.err),
              Contains(AllOf(HasSubstr("memory: "), HasSubstr("MiB (plan "), HasSubstr("free"))));
  for (const char* file : {"run.toml", "metrics.jsonl", "results.csv", "best.safetensors", "last.safetensors"}) {
    EXPECT_TRUE(fs::exists(folder_.path() / "runs/cnn-1" / file)) << file;
  }
  const json metrics = json::parse(read_bytes(folder_ / "runs/cnn-1/metrics.jsonl"));
  EXPECT_THAT(keys_of(metrics), testing::IsSupersetOf({"epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy",
                                                       "images_per_second", "seconds"}));
  EXPECT_EQ(run({"eval", "runs/cnn-1", "--data", "data"}).exit_code, 0)
      << "a run's folder stands for its best checkpoint";
}

TEST_F(CliCommands, QuietTrainingSaysNothing) {
  const Outcome outcome = run(train_arguments({"--epochs", "1", "--quiet", "--out", "here"}));
  EXPECT_EQ(outcome.out, "here\n");
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(CliCommands, OptionsWinOverTheFileAndTheFileOverThePreset) {
  write_bytes(folder_ / "my.toml",
              "[run]\npreset = \"notebook\"\n[training]\nepochs = 1\nbatch = 2\n[schedule]\nrate = 0.25\n");
  const Outcome outcome =
      run(train_arguments({"--config", "my.toml", "--set", "augment.scale=0.25", "--lr", "0.125", "--out", "r"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const RunConfig config = run_config_from_toml(read_bytes(folder_ / "r/run.toml"), "run.toml");
  EXPECT_EQ(config.preset, "notebook");
  EXPECT_EQ(config.optimizer.kind, OptimizerKind::kAdam);  // the preset's
  EXPECT_EQ(config.epochs, 1);                             // the file's
  EXPECT_EQ(config.rate, 0.125f);                          // the option's
  EXPECT_EQ(config.batch, 4);                              // the option's
  EXPECT_EQ(config.augment.scale, 0.25f);
}

TEST_F(CliCommands, ARunFolderInUseIsRefusedBeforeAnyPictureIsRead) {
  fs::create_directory(folder_ / "full");
  write_bytes(folder_ / "full/precious", "x");
  const Outcome outcome = run(train_arguments({"--out", "full"}));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("full: is there already"), Not(HasSubstr("Found"))));
}

TEST_F(CliCommands, CtrlCSavesAndSaysHowToGoOn) {
  const Start start{.arguments = train_arguments({"--epochs", "100000", "--out", "r"}),
                    .folder = folder_.path().string()};
  const Outcome stopped = run_and_signal(start, says("epoch   1/"), SIGINT);
  EXPECT_EQ(stopped.exit_code, 128 + SIGINT);
  EXPECT_EQ(stopped.out, "r\n");
  EXPECT_THAT(stopped.err, HasSubstr("continue with: cudacards train --resume r"));
  EXPECT_NO_THROW(read_checkpoint(folder_ / "r/last.safetensors"));
}

TEST_F(CliCommands, DataCheckFailsWhereAPersonHasToAct) {
  EXPECT_EQ(run({"data", "check", "data"}).exit_code, 0);
  write_bytes(folder_ / "data/train/joker/cut.jpg", read_bytes(folder_ / "data/train/joker/0.jpg").substr(0, 400));
  const Outcome outcome = run({"data", "check", "data"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("data/train/joker/cut.jpg: "));
}

TEST_F(CliCommands, DataCheckNamesDuplicates) {
  fs::copy(folder_ / "data/train/joker/0.jpg", folder_ / "data/valid/king of hearts/copy.jpg");
  const Outcome outcome = run({"data", "check", "data"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("copy.jpg"), HasSubstr("under different classes and in different splits")));
}

TEST_F(CliCommands, DataStatsCountsAndDraws) {
  const Outcome outcome = run({"data", "stats", "data", "--svg", "chart.svg"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("train: 8 pictures, 4 to 4 a class"), HasSubstr("48 x 48 pixels: 12 pictures")));
  EXPECT_THAT(read_bytes(folder_ / "chart.svg"), AllOf(HasSubstr("<svg"), HasSubstr("king of hearts")));
}

TEST_F(CliCommands, DataStatsMakesAPage) {
  write_bytes(folder_ / "data/train/joker/bad.jpg", "no picture");
  const Outcome outcome = run({"data", "stats", "data", "--html", "stats.html"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(read_bytes(folder_ / "stats.html"),
              AllOf(HasSubstr("13"), HasSubstr("<h2>Bad files</h2>"), HasSubstr("train/joker/bad.jpg")));
  const Outcome refused = run({"data", "stats", "data", "--html", "gone/stats.html"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("gone/stats.html: cannot write there"));
  EXPECT_THAT(refused.out, IsEmpty());
}

TEST_F(CliCommands, DataMakeLeavesAFullFolderAlone) {
  const Outcome outcome = run({"data", "make", "data", "--per-class", "1"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("data"));
  EXPECT_THAT(outcome.out, IsEmpty());
}

}  // namespace
}  // namespace cudacards
