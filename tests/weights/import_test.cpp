// Files in others' names and layouts as our parameters: every family, and what is said about files that don't fit.

#include "weights/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <list>
#include <set>

#include "models/registry.h"
#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing_support::error_text;
using testing_support::TemporaryFolder;

const NameFamily& family(const std::string& name) {
  for (const NameFamily& f : mobilenet_name_families()) {
    if (f.name == name) return f;
  }
  throw std::runtime_error(name);
}

/// Tensors of a file, by name, to be changed before they are written.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using Tensors = std::map<std::string, Tensor>;

/// Element i of the n-th parameter: different everywhere, and positive, as a variance must be.
float value(std::size_t n, std::size_t i) {
  return 0.25f + static_cast<float>((n * 7919 + i * 104729) % 65536) / 65536;
}

Graph features() { return build_model("mobilenetv2", {.classes = 2, .width_multiplier = 0.35f}); }
bool is_feature(const Parameter& p) { return !p.name.starts_with("head"); }

Tensors file_of(const NameFamily& f, const Parameters& parameters, const std::string& prefix = "") {
  Tensors tensors;
  std::size_t n = 0;
  for (const Parameter& p : parameters.list()) {
    if (!is_feature(p)) continue;
    Tensor t{foreign_shape(p.spec, p.name, f.layout), {}};
    for (std::size_t i = 0; i < static_cast<std::size_t>(p.end - p.begin); ++i) t.values.push_back(value(n, i));
    tensors.emplace(prefix + f.names_of(p.name).front(), std::move(t));
    ++n;
  }
  return tensors;
}

class ImportOf : public testing::Test {
 protected:
  ImportReport import(const Tensors& tensors, const std::map<std::string, std::string>& metadata = {}) {
    std::vector<TensorView> views;
    for (const auto& [name, t] : tensors) views.push_back(float_tensor(name, t.shape, t.values));
    write_safetensors(path_, views, metadata);
    const auto source = open_tensor_source(path_);
    return import_tensors(*source, recognise_names(*source, mobilenet_name_families()), graph_, parameters_,
                          is_feature);
  }
  std::span<const float> values(const std::string& name) { return parameters_.values(*parameters_.find(name)); }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "foreign.safetensors";
  const Graph graph_ = features();
  Parameters parameters_{graph_};
};

TEST(NameFamilies, NameEveryParameterOnce) {
  const Graph graph = build_model("mobilenetv2", {.classes = 1001, .head = Head::kImagenet});
  const Parameters parameters(graph);
  ASSERT_EQ(mobilenet_name_families().size(), 5u);
  for (const NameFamily& f : mobilenet_name_families()) {
    std::set<std::string> names;
    for (const Parameter& p : parameters.list()) {
      const auto theirs = f.names_of(p.name);
      ASSERT_FALSE(theirs.empty()) << f.name << " " << p.name;
      for (const std::string& name : theirs) EXPECT_TRUE(names.insert(name).second) << f.name << " " << name;
    }
    EXPECT_TRUE(f.names_of("block_17/expand/weights").empty() || f.layout == WeightLayout::kNative);
  }
}

TEST_F(ImportOf, KerasFilesTurnsTheirAxes) {
  const ImportReport report = import(file_of(family("keras"), parameters_));
  EXPECT_EQ(report.family, "keras");
  EXPECT_EQ(report.taken, 260u);
  EXPECT_FALSE(report.folded);
  EXPECT_TRUE(report.extra.empty());
  EXPECT_TRUE(report.notes.empty());
  const Tensors file = file_of(family("keras"), parameters_);
  const auto& conv = file.at("Conv1/kernel").values;                             // (3,3,3,16) to (16,3,3,3)
  const auto& depthwise = file.at("block_3_depthwise/depthwise_kernel").values;  // (3,3,48,1) to (48,3,3,1)
  for (const std::size_t k : {0u, 5u, 15u}) {
    for (std::size_t r = 0; r < 3; ++r) {
      for (std::size_t s = 0; s < 3; ++s) {
        EXPECT_EQ(values("block_03/depthwise/weights")[(k * 3 + r) * 3 + s], depthwise[(r * 3 + s) * 48 + k]);
        for (std::size_t c = 0; c < 3; ++c)
          EXPECT_EQ(values("stem/conv/weights")[((k * 3 + r) * 3 + s) * 3 + c], conv[((r * 3 + s) * 3 + c) * 16 + k]);
      }
    }
  }
  EXPECT_EQ(values("block_16/project_bn/variance")[7], file.at("block_16_project_BN/moving_variance").values[7]);
}

TEST_F(ImportOf, TorchvisionFilesKeepWhatTheNetworkComputes) {
  const Tensors file = file_of(family("torchvision"), parameters_);
  const ImportReport report = import(file);
  EXPECT_EQ(report.family, "torchvision");
  EXPECT_EQ(report.notes.size(), 3u);
  const auto& expand = file.at("features.2.conv.0.0.weight").values;  // (48,8,1,1): the same order
  EXPECT_TRUE(std::equal(expand.begin(), expand.end(), values("block_01/expand/weights").begin()));
  const auto& depthwise = file.at("features.2.conv.1.0.weight").values;  // (48,1,3,3)
  EXPECT_TRUE(std::equal(depthwise.begin(), depthwise.end(), values("block_01/depthwise/weights").begin()));
  // gamma / sqrt(variance + epsilon) stays, and so does the first layer of a picture of one colour.
  const std::size_t k = 11;
  const auto& gamma = file.at("features.0.1.weight").values;
  const auto& variance = file.at("features.0.1.running_var").values;
  const double scale =
      static_cast<double>(values("stem/bn/gamma")[k]) / std::sqrt(static_cast<double>(variance[k]) + 1e-3);
  EXPECT_NEAR(scale, static_cast<double>(gamma[k]) / std::sqrt(static_cast<double>(variance[k]) + 1e-5), 1e-6);
  const double pixel[] = {10, 200, 77}, mean[] = {123.675, 116.28, 103.53}, deviation[] = {58.395, 57.12, 57.375};
  double theirs = 0, ours = 0;
  for (std::size_t tap = 0; tap < 9; ++tap) {
    for (std::size_t c = 0; c < 3; ++c) {
      theirs += static_cast<double>(file.at("features.0.0.weight").values[(k * 3 + c) * 9 + tap]) *
                (pixel[c] - mean[c]) / deviation[c];
      ours += static_cast<double>(values("stem/conv/weights")[(k * 9 + tap) * 3 + c]) * (pixel[c] / 127.5 - 1);
    }
  }
  theirs -= static_cast<double>(file.at("features.0.1.running_mean").values[k]);
  ours -= static_cast<double>(values("stem/bn/mean")[k]);
  EXPECT_NEAR(ours, theirs, 1e-4 * std::abs(theirs));
}

TEST_F(ImportOf, FilesThatSayHowTheyWereMadeAreBelieved) {
  const Tensors file = file_of(family("torchvision"), parameters_);
  const std::map<std::string, std::string> ours = {
      {"batch_norm.epsilon", "0.001"}, {"input.mean", "127.5"}, {"input.deviation", "127.5"}, {"padding", "same"}};
  EXPECT_THAT(import(file, ours).notes, ElementsAre());
  EXPECT_TRUE(std::ranges::equal(file.at("features.0.1.weight").values, values("stem/bn/gamma")));
  EXPECT_TRUE(std::ranges::equal(file.at("features.0.1.running_mean").values, values("stem/bn/mean")));

  // 0..255, and another padding: the first layer takes it up, and a note says the rest.
  const ImportReport report = import(
      file,
      {{"batch_norm.epsilon", "0.001"}, {"input.mean", "0"}, {"input.deviation", "255"}, {"padding", "symmetric"}});
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("zeros on both sides"), HasSubstr("went into the first layer")));
  EXPECT_EQ(values("stem/conv/weights")[0], file.at("features.0.0.weight").values[0] * 0.5f);
}

TEST_F(ImportOf, FilesThatSayWhatCannotBeAreRefused) {
  const Tensors file = file_of(family("torchvision"), parameters_);
  const auto error = [&](const char* key, const char* value) {
    return error_text([&] { import(file, {{ key, value }}); });
  };
  EXPECT_THAT(error("batch_norm.epsilon", "0.001, 1e-05"),
              HasSubstr("batch_norm.epsilon = \"0.001, 1e-05\" is not a number"));
  EXPECT_THAT(error("batch_norm.epsilon", "-1"), HasSubstr("the metadata batch_norm.epsilon = -1 cannot be"));
  EXPECT_THAT(error("input.deviation", "0"), HasSubstr("input.deviation = 0 cannot be"));
  EXPECT_THAT(error("input.mean", "nan"), HasSubstr("input.mean = nan cannot be"));
}

TEST_F(ImportOf, EveryFamilyIsRecognisedAlsoBehindAPrefix) {
  for (const NameFamily& f : mobilenet_name_families()) {
    for (const std::string& prefix : {std::string(), "module" + f.separator}) {
      const ImportReport report = import(file_of(f, parameters_, prefix));
      EXPECT_EQ(report.family, f.name) << prefix;
      EXPECT_EQ(report.taken, 260u);
    }
  }
}

TEST_F(ImportOf, FoldedFilesMakesBatchNormTheIdentity) {
  Tensors file = file_of(family("cudacards"), parameters_);
  std::erase_if(file, [](const auto& entry) { return !entry.first.ends_with("/weights"); });
  for (const Layer& layer : graph_.layers()) {
    if (dynamic_cast<const Conv2d*>(layer.operation.get()))
      file[layer.name + "/bias"] = {{layer.shape[3]},
                                    std::vector<float>(static_cast<std::size_t>(layer.shape[3]), 0.5f)};
  }
  const ImportReport report = import(file);
  EXPECT_TRUE(report.folded);
  EXPECT_EQ(report.taken, 104u);
  EXPECT_EQ(values("top/bn/beta")[100], 0.5f);
  EXPECT_EQ(values("top/bn/mean")[100], 0.0f);
  EXPECT_EQ(values("top/bn/variance")[100], 1.0f);
  EXPECT_NEAR(static_cast<double>(values("top/bn/gamma")[100]) / std::sqrt(1.001), 1.0, 1e-7);
}

TEST_F(ImportOf, NamesWhatIsMissingTransposedAndOfAnotherShape) {
  const Tensors good = file_of(family("keras"), parameters_);
  Tensors file = good;
  file.erase("block_5_expand_BN/beta");
  std::reverse(file.at("Conv_1/kernel").shape.begin(), file.at("Conv_1/kernel").shape.end());
  file.at("Conv_1_bn/gamma") = {{2}, {1, 1}};
  file["block_17_expand/kernel"] = {{1}, {1}};
  parameters_.initialise(3);
  const std::vector<float> before(parameters_.values().begin(), parameters_.values().end());
  EXPECT_EQ(error_text([&] { import(file); }),
            path_ +
                " (keras names) does not fit this model: missing are block_5_expand_BN/beta; transposed are "
                "\"Conv_1/kernel\" (1280, 112, 1, 1) instead of (1, 1, 112, 1280); of another shape are "
                "\"Conv_1_bn/gamma\" (2) instead of (1280)");
  file = good;
  file.at("Conv_1_bn/gamma").values[3] = INFINITY;
  EXPECT_THAT(error_text([&] { import(file); }), HasSubstr("element 3 of tensor \"Conv_1_bn/gamma\" is inf"));
  file = good;
  file.at("Conv_1_bn/moving_variance").values[4] = -0.1f;
  EXPECT_THAT(error_text([&] { import(file); }), HasSubstr("a variance is never negative"));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), parameters_.values().begin())) << "nothing was written";
}

TEST_F(ImportOf, NamesWhatTheModelHasNoPlaceFor) {
  Tensors file = file_of(family("keras"), parameters_);
  file["dense_Dense1/kernel"] = {{2}, {1, 1}};
  EXPECT_THAT(import(file).extra, ElementsAre("dense_Dense1/kernel"));
}

TEST_F(ImportOf, FilesOfOtherModelsAreRefused) {
  EXPECT_THAT(error_text([&] {
                import({{ "conv1.weight", { {1}, { 1 } } }});
              }),
              AllOf(HasSubstr("no first convolution of MobileNetV2 in the names of cudacards, keras"),
                    HasSubstr("its tensors are \"conv1.weight\", ...")));
  EXPECT_THAT(error_text([&] { import({}); }), HasSubstr("its tensors are none"));
}

}  // namespace
}  // namespace cudacards
