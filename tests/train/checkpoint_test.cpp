// A checkpoint gives back exactly what was saved, or says what is wrong with it.

#include "host/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <cstring>

#include "models/registry.h"
#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing_support::error_text;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;

/// A picture classifier with every kind of parameter: weights, biases, batch norm's running statistics, a frozen
/// layer's.
Graph small_graph(int classes, float scale = 1.0f / 255) {
  Graph g;
  Node x = g.rescale(g.image(8, 8), scale, -0.5f);
  x = g.conv2d(x, {.filters = 4, .kernel = 3});
  x = g.batch_norm(x);
  g.set_trainable("conv2d", false);
  return std::move(g).logits(g.dense(g.flatten(x), classes));
}

/// Values that no rounding of a text form would survive, different for each `salt`.
std::vector<float> awkward_values(std::size_t count, int salt) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::ldexp(1.0f / (3.0f + static_cast<float>(i)), salt - 20);
  return values;
}

Checkpoint awkward_checkpoint(const Graph& graph) {
  Checkpoint c;
  c.config.arch = "cnn";
  c.config.image_size = 8;
  c.config.rate = 1.0f / 3;
  c.config.seed = 0x0123456789abcdef;
  c.config.data = "a \"quoted\" folder/é";
  c.config.augment.rotation_degrees = 15.1f;
  c.classes = {"ace of clubs", "joker", "король пик", "name, \"with\" [json]"};
  c.preprocessing = preprocessing_of(graph);
  c.state.step = (std::uint64_t{1} << 53) + 1;  // not a double
  c.state.epoch = 7;
  c.state.step_in_epoch = (std::int64_t{1} << 62) + 1;
  c.state.pictures = 7624;
  c.state.running = {.loss_sum = 0.1 + 0.2, .correct = 123, .rows = 456, .seconds = std::nextafter(1e-300, 0)};
  c.state.best_epoch = 5;
  c.state.best_val_loss = std::nextafter(1.0 / 3, 1);
  c.state.best_val_accuracy = std::numeric_limits<double>::denorm_min();
  c.state.epochs_without_improvement = 2;
  return c;
}

class CheckpointFile : public testing::Test {
 protected:
  CheckpointFile() { std::ranges::copy(awkward_values(size(), 1), parameters_.values().begin()); }
  std::size_t size() const { return parameters_.values().size(); }
  SafetensorsFile open() const { return SafetensorsFile::open(path_); }

  void save_run() const { save_last(path_, parameters_, moment1_, moment2_, average_, checkpoint_); }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "last.safetensors";
  const Graph graph_ = small_graph(4);
  Parameters parameters_{graph_};
  std::vector<float> moment1_ = awkward_values(size(), 2), moment2_ = awkward_values(size(), 3),
                     average_ = awkward_values(size(), 4);
  Checkpoint checkpoint_ = awkward_checkpoint(graph_);
};

void expect_same_elements(const Parameters& layout, std::span<const float> a, std::span<const float> b) {
  for (const Parameter& p : layout.list()) {
    const auto begin = static_cast<std::size_t>(p.begin), count = static_cast<std::size_t>(p.end - p.begin);
    EXPECT_EQ(std::memcmp(a.data() + begin, b.data() + begin, count * sizeof(float)), 0) << p.name;
  }
}

TEST_F(CheckpointFile, GivesBackEveryTensorBitForBit) {
  save_run();
  Parameters loaded(graph_);
  const auto version = loaded.version();
  std::vector<float> moment1(size()), moment2(size()), average(size());
  load_last(open(), loaded, moment1, moment2, average);
  expect_same_elements(loaded, loaded.values(), parameters_.values());
  expect_same_elements(loaded, moment1, moment1_);
  expect_same_elements(loaded, moment2, moment2_);
  expect_same_elements(loaded, average, average_);
  EXPECT_GT(loaded.version(), version) << "plans have to pack their weights again";
}

TEST_F(CheckpointFile, GivesBackTheStateBitForBit) {
  save_run();
  const Checkpoint loaded = read_checkpoint(path_);
  EXPECT_EQ(loaded.state, checkpoint_.state);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(loaded.state.running.loss_sum), std::bit_cast<std::uint64_t>(0.1 + 0.2));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(loaded.state.best_val_loss),
            std::bit_cast<std::uint64_t>(checkpoint_.state.best_val_loss));
  EXPECT_EQ(loaded.classes, checkpoint_.classes);
  EXPECT_EQ(loaded.preprocessing, checkpoint_.preprocessing);
  EXPECT_EQ(loaded.preprocessing.offset, -0.5f);
  EXPECT_EQ(to_toml(loaded.config), to_toml(checkpoint_.config));
  EXPECT_EQ(loaded.config.seed, checkpoint_.config.seed);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(loaded.config.rate), std::bit_cast<std::uint32_t>(1.0f / 3));
}

TEST_F(CheckpointFile, KeepsTheInfiniteLossOfARunThatHasNoneYet) {
  checkpoint_.state = {};
  save_run();
  EXPECT_EQ(read_checkpoint(path_).state, TrainState{});
  EXPECT_TRUE(std::isinf(read_checkpoint(path_).state.best_val_loss));
}

TEST_F(CheckpointFile, DoesNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  save_run();
  const std::string bytes = read_bytes(path_);
  for (const char* locale : {"de_DE.UTF-8", "de_DE", "tr_TR.UTF-8", "C.UTF-8"}) {
    if (std::setlocale(LC_ALL, locale) == nullptr) continue;
    save_run();
    EXPECT_EQ(read_bytes(path_), bytes) << locale;
    EXPECT_EQ(read_checkpoint(path_).state, checkpoint_.state) << locale;
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_F(CheckpointFile, IsTheSameBytesForTheSameRun) {
  save_run();
  const std::string bytes = read_bytes(path_);
  save_run();
  EXPECT_EQ(read_bytes(path_), bytes);
}

TEST_F(CheckpointFile, LeavesOutWhatTheOptimizerDoesNotHave) {
  save_last(path_, parameters_, moment1_, {}, {}, checkpoint_);
  EXPECT_EQ(open().tensors().size(), 2 * parameters_.list().size());
  Parameters loaded(graph_);
  std::vector<float> moment1(size()), other(size());
  load_last(open(), loaded, moment1, {}, {});
  expect_same_elements(loaded, moment1, moment1_);
  EXPECT_THAT(error_text([&] { load_last(open(), loaded, moment1, other, {}); }),
              AllOf(HasSubstr("missing are optimizer/moment2/conv2d/weights"), Not(HasSubstr("not in the model"))));
  EXPECT_THAT(error_text([&] { load_last(open(), loaded, {}, {}, {}); }),
              HasSubstr("not in the model are \"optimizer/moment1/conv2d/weights\""));
}

TEST_F(CheckpointFile, OfTheBestHoldsTheAverageOfWhatMovesAndTheCurrentValuesOfTheRest) {
  save_best(path_, parameters_, average_, checkpoint_);
  Parameters loaded(graph_);
  load_parameters(open(), loaded);
  int frozen = 0;
  for (const Parameter& p : parameters_.list()) {
    const auto expected = p.moves ? std::span<const float>(average_).subspan(static_cast<std::size_t>(p.begin),
                                                                             parameters_.values(p).size())
                                  : std::span<const float>(parameters_.values(p));
    EXPECT_TRUE(std::ranges::equal(std::as_const(loaded).values(p), expected)) << p.name;
    frozen += p.moves ? 0 : 1;
  }
  EXPECT_EQ(frozen, 2);
  EXPECT_EQ(open().tensors().size(), parameters_.list().size());
}

TEST_F(CheckpointFile, DescribesTheModelToOtherPrograms) {
  save_best(path_, parameters_, parameters_.values(), checkpoint_);
  const auto metadata = open().metadata();
  EXPECT_EQ(metadata.at("arch"), "cnn");
  EXPECT_EQ(metadata.at("image_height"), "8");
  EXPECT_EQ(metadata.at("image_width"), "8");
  EXPECT_EQ(metadata.at("contents"), "inference");
  EXPECT_EQ(metadata.at("preprocessing.resize"), "squash, antialiased bilinear");
  EXPECT_EQ(metadata.at("preprocessing.offset"), "-1p-1");
  EXPECT_EQ(metadata.at("classes"), R"(["ace of clubs","joker","король пик","name, \"with\" [json]"])");
}

TEST_F(CheckpointFile, OfEitherKindClassifies) {
  save_run();
  Parameters loaded(graph_);
  load_parameters(open(), loaded);
  expect_same_elements(loaded, loaded.values(), parameters_.values());
}

TEST_F(CheckpointFile, OfTheBestIsNotResumed) {
  save_best(path_, parameters_, parameters_.values(), checkpoint_);
  EXPECT_EQ(error_text([&] { load_last(open(), parameters_, moment1_, moment2_, average_); }),
            path_ + " has weights for inference only: resume from the run's last.safetensors");
}

TEST_F(CheckpointFile, ListsEveryTensorThatDoesNotFit) {
  save_run();
  Graph other;
  Node x = other.rescale(other.image(8, 8), 1.0f / 255);
  x = other.flatten(other.conv2d(x, {.filters = 4, .kernel = 3}));
  x = other.dense(x, 6);
  other.logits(other.dense(x, 5));
  Parameters parameters(other);
  parameters.initialise(1);
  const std::vector<float> before(parameters.values().begin(), parameters.values().end());
  EXPECT_EQ(error_text([&] { load_parameters(open(), parameters); }),
            path_ +
                " does not fit this model: missing are dense_1/weights, dense_1/bias; not in the model are "
                "\"batch_normalization/gamma\", \"batch_normalization/beta\", \"batch_normalization/mean\", "
                "\"batch_normalization/variance\"; of another shape are dense/weights (4, 256) instead of (6, 256), "
                "dense/bias (4) "
                "instead of (6)");
  EXPECT_TRUE(std::ranges::equal(parameters.values(), before)) << "a model that cannot be loaded stays as it was";
}

TEST_F(CheckpointFile, IsNotLoadedHalfWhenAValueIsBad) {
  std::vector<TensorView> tensors;
  std::vector<float> bad(parameters_.values(parameters_.list().back()).size(), 1.0f);
  bad.back() = NAN;
  for (const Parameter& p : parameters_.list()) {
    const bool is_last = &p == &parameters_.list().back();
    tensors.push_back(
        float_tensor(p.name, p.spec.shape.sizes(), is_last ? std::span<const float>(bad) : parameters_.values(p)));
  }
  write_safetensors(path_, tensors, {});
  Parameters loaded(graph_);
  EXPECT_THAT(error_text([&] { load_parameters(open(), loaded); }),
              HasSubstr("element 3 of tensor \"dense/bias\" is nan"));
  EXPECT_TRUE(std::ranges::all_of(loaded.values(), [](float w) { return w == 0.0f; }));
}

TEST_F(CheckpointFile, IsNotReplacedByOneThatCouldNotBeLoaded) {
  save_run();
  const std::string bytes = read_bytes(path_);
  moment2_[static_cast<std::size_t>(parameters_.list()[1].begin)] = INFINITY;
  EXPECT_EQ(error_text([&] { save_run(); }), path_ +
                                                 " is not saved: optimizer/moment2/conv2d/bias has a value that is NaN "
                                                 "or infinite; a file saved before is intact");
  EXPECT_EQ(read_bytes(path_), bytes);
}

TEST_F(CheckpointFile, RefusesClassNamesThatCannotBeStored) {
  checkpoint_.classes = {"ace", "\xe9"};
  EXPECT_THAT(error_text([&] { save_run(); }),
              HasSubstr("is not UTF-8 and cannot be stored in a checkpoint: rename its folder"));
}

TEST_F(CheckpointFile, NamesTheClassesThatTheModelDoesNotKnow) {
  save_run();
  checkpoint_.classes = {"ace of clubs", "joker", "two of hearts"};
  const auto refusal = [&](const std::vector<std::string>& found) {
    return error_text([&] { check_classes(open(), checkpoint_, found, "data/valid"); });
  };
  EXPECT_EQ(refusal({"two of hearts", "joker"}), "(no error)") << "fewer and in another order is fine";
  EXPECT_EQ(refusal({"ace of clubs", "ace of stars", "joker", "two of hearts"}),
            path_ + " knows 3 classes, data/valid has 4: \"ace of stars\" is unknown to the model");
  EXPECT_THAT(refusal({"Joker", "ace of  clubs"}), HasSubstr("\"Joker\", \"ace of  clubs\" are unknown to the model"));
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back("c" + std::to_string(i));
  EXPECT_THAT(refusal(many), AllOf(HasSubstr("\"c7\" and 12 more are unknown"), Not(HasSubstr("\"c8\""))));
}

TEST_F(CheckpointFile, NoticesAnotherPreprocessing) {
  save_run();
  EXPECT_EQ(error_text([&] { check_preprocessing(open(), checkpoint_, graph_); }), "(no error)");
  EXPECT_THAT(error_text([&] { check_preprocessing(open(), checkpoint_, small_graph(4, 1.0f / 127)); }),
              AllOf(HasSubstr(path_), HasSubstr("times 0.003921"), HasSubstr("times 0.007874")));
}

TEST(CheckpointPreprocessing, OfEveryModelIsFoundInItsGraph) {
  for (const ModelEntry& model : models()) {
    const Preprocessing preprocessing = preprocessing_of(model.build({.height = 32, .width = 32, .classes = 3}));
    EXPECT_GT(preprocessing.scale, 0.0f) << model.name;
    EXPECT_LT(preprocessing.scale, 0.1f) << model.name;
  }
}

struct BadMetadata {
  const char* name;
  const char* key;
  const char* value;  // null: the key is missing
  const char* error;
  friend void PrintTo(const BadMetadata& bad, std::ostream* out) { *out << bad.name; }
};

class CheckpointMetadata : public CheckpointFile, public testing::WithParamInterface<BadMetadata> {};

TEST_P(CheckpointMetadata, IsRefusedWhenItIsWrong) {
  save_run();
  auto metadata = open().metadata();
  if (GetParam().value != nullptr) {
    metadata[GetParam().key] = GetParam().value;
  } else {
    metadata.erase(GetParam().key);
  }
  const std::string changed = folder_ / "changed.safetensors";
  write_safetensors(changed, {}, metadata);
  try {
    read_checkpoint(changed);
    load_last(SafetensorsFile::open(changed), parameters_, moment1_, moment2_, average_);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(changed), HasSubstr(GetParam().error)));
    EXPECT_EQ(error.exit_code(), 1) << "the file is wrong, not the command line";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckpointMetadata,
    testing::Values(BadMetadata{"NoFormat", "format", nullptr,
                                "is no checkpoint of this version of cudacards: its metadata has format missing"},
                    BadMetadata{"OtherFormat", "format", "pt",
                                "has format \"pt\", \"cudacards-checkpoint-1\" is expected"},
                    BadMetadata{"NewerFormat", "format", "cudacards-checkpoint-2", "is no checkpoint of this version"},
                    BadMetadata{"NoStep", "state.step", nullptr, "has no \"state.step\""},
                    BadMetadata{"StepNotANumber", "state.step", "12x", "state.step = \"12x\" is not a number"},
                    BadMetadata{"StepEmpty", "state.step", "", "is not a number"},
                    BadMetadata{"StepNegative", "state.step", "-1", "is not a number"},
                    BadMetadata{"StepTooLarge", "state.step", "18446744073709551616", "is not a number"},
                    BadMetadata{"EpochNegative", "state.epoch", "-1", "state.epoch = \"-1\" is negative"},
                    BadMetadata{"LossNotHexadecimal", "state.best_val_loss", "0x1p0", "is not a number"},
                    BadMetadata{"NoClasses", "classes", nullptr, "has no \"classes\""},
                    BadMetadata{"ClassesNotJson", "classes", "ace, two", "is not a list of names"},
                    BadMetadata{"ClassesEmpty", "classes", "[]", "is not a list of names"},
                    BadMetadata{"ClassesNumbers", "classes", "[1,2]", "is not a list of names"},
                    BadMetadata{"ClassTwice", "classes", R"(["a","a"])", "has a name twice"},
                    BadMetadata{"NoConfig", "config", nullptr, "has no \"config\""},
                    BadMetadata{"ConfigNotToml", "config", "= 3", "the configuration in"},
                    BadMetadata{"NoContents", "contents", nullptr, "has no \"contents\""},
                    BadMetadata{"OtherContents", "contents", "both", "is neither \"resume\" nor \"inference\""}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cudacards
