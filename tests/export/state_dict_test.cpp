// Weights as PyTorch names and lays them out, and back again through weights import, byte for byte.

#include "host/export/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/train/import_weights.h"
#include "models/registry.h"
#include "tests/support/error_text.h"
#include "tests/support/formula.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace testing_support;

struct Filled {
  explicit Filled(Graph g) : graph(std::move(g)), parameters(graph) { set_initial_values(parameters); }
  ExportedModel model(const std::string& arch) const { return {graph, parameters, arch, {"a", "b"}, "squash", "1.2"}; }
  std::span<const float> values(const std::string& name) const { return parameters.values(*parameters.find(name)); }
  const Graph graph;
  Parameters parameters;
};

std::vector<std::string> names_of(const std::vector<StateTensor>& tensors) {
  std::vector<std::string> names;
  for (const StateTensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}

const StateTensor& find(const std::vector<StateTensor>& tensors, const std::string& name) {
  for (const StateTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  throw std::runtime_error("no tensor " + name);
}

TEST(StateDict, OfAPlainNetworkHasItsLayersNamesAndPyTorchsAxes) {
  const Filled cnn(build_model("cnn", {.height = 16, .width = 24, .classes = 5}));
  const auto tensors = state_dict(cnn.model("cnn"));
  EXPECT_THAT(names_of(tensors),
              ElementsAre("conv2d.weight", "conv2d.bias", "conv2d_1.weight", "conv2d_1.bias", "conv2d_2.weight",
                          "conv2d_2.bias", "dense.weight", "dense.bias", "dense_1.weight", "dense_1.bias"));
  EXPECT_THAT(tensors[2].shape, ElementsAre(64, 32, 3, 3));
  EXPECT_EQ(tensors[2].values[1 * 9 + 5], cnn.values("conv2d_1/weights")[5 * 32 + 1]);  // channel 1, tap (1,2)
  // (2,3,128) flattened: channel 7 of pixel 4.
  EXPECT_THAT(tensors[6].shape, ElementsAre(128, 768));
  EXPECT_EQ(tensors[6].values[768 + 7 * 6 + 4], cnn.values("dense/weights")[768 + 4 * 128 + 7]);
  EXPECT_TRUE(std::ranges::equal(tensors[7].values, cnn.values("dense/bias")));
  EXPECT_TRUE(std::ranges::equal(tensors[8].values, cnn.values("dense_1/weights")));
}

TEST(StateDict, OfMobileNetHasTorchvisionsNames) {
  const Filled net(build_model("mobilenetv2", {.classes = 53, .width_multiplier = 0.35f}));
  const auto tensors = state_dict(net.model("mobilenetv2"));
  EXPECT_EQ(tensors.size(), net.parameters.list().size());
  EXPECT_THAT(find(tensors, "features.0.0.weight").shape, ElementsAre(16, 3, 3, 3));
  EXPECT_THAT(find(tensors, "features.1.conv.0.0.weight").shape, ElementsAre(16, 1, 3, 3));
  EXPECT_TRUE(std::ranges::equal(find(tensors, "features.18.1.running_var").values, net.values("top/bn/variance")));
  EXPECT_THAT(find(tensors, "classifier.1.weight").shape, ElementsAre(53, 1280));
}

TEST(StateDict, OfASecondClassifierKeepsItsOwnName) {
  const Filled net(build_model("mobilenetv2", {.width_multiplier = 0.35f, .head = Head::kNotebook}));
  const auto tensors = state_dict(net.model("mobilenetv2"));
  EXPECT_THAT(find(tensors, "classifier.1.weight").shape, ElementsAre(1001, 1280));
  EXPECT_THAT(find(tensors, "head.weight").shape, ElementsAre(53, 1001));
}

TEST(StateDict, TellsWhatANetworkInPyTorchNeeds) {
  const TemporaryFolder folder;
  const Filled net(build_model("mobilenetv2", {.width_multiplier = 0.35f}));
  write_state_dict(folder / "f", net.model("mobilenetv2"), state_dict(net.model("mobilenetv2")));
  auto facts = SafetensorsFile::open(folder / "f").metadata();
  EXPECT_EQ(facts["format"], "pt");
  EXPECT_EQ(facts["batch_norm.epsilon"], "0.001");
  EXPECT_EQ(facts["padding"], "same");
  EXPECT_EQ(facts["input.mean"] + " " + facts["input.deviation"], "127.5 127.5");
  EXPECT_EQ(facts["classes"], R"(["a","b"])");
  const Filled cnn(build_model("cnn", {.height = 16, .width = 16}));
  write_state_dict(folder / "f", cnn.model("cnn"), state_dict(cnn.model("cnn")));
  facts = SafetensorsFile::open(folder / "f").metadata();
  EXPECT_FALSE(facts.contains("batch_norm.epsilon"));
  EXPECT_EQ(facts["input.mean"] + " " + facts["input.deviation"], "0 255");
}

TEST(StateDict, RefusesTwoParametersOfOneName) {
  Graph g;
  Node x = g.dense(g.input({2}), 2);
  g.named("a/b");
  g.logits(g.dense(x, 2));
  g.named("a.b");
  EXPECT_THAT(error_text([&] { state_dict(Filled(g).model("x")); }), HasSubstr("a.b/weights: two parameters"));
}

class Mystery final : public Operation {
 public:
  std::string_view kind() const override { return "Mystery"; }
  std::string_view stem() const override { return "mystery"; }
  Shape infer_shape(std::span<const Shape> src) const override { return src[0]; }
  std::vector<ParameterSpec> parameters(std::span<const Shape>) const override {
    return {{.name = "enigma", .shape = {1}}};
  }
  std::span<const Implementation> implementations(DeviceKind) const override { return {}; }
};

TEST(StateDict, RefusesAParameterWithoutAFormByName) {
  Graph g;
  g.logits(g.apply(std::make_shared<Mystery>(), {g.input({2})}));
  EXPECT_THAT(error_text([&] { state_dict(Filled(g).model("x")); }), HasSubstr("mystery/enigma: PyTorch has no"));
}

/// Exported and imported again; every parameter of the file must be as it was.
class RoundTrip : public ::testing::TestWithParam<Head> {};

TEST_P(RoundTrip, GivesTheSameBytesOfWeights) {
  const TemporaryFolder folder;
  const Filled net(build_model(
      "mobilenetv2", {.classes = default_classes(GetParam()), .width_multiplier = 0.35f, .head = GetParam()}));
  write_state_dict(folder / "theirs.safetensors", net.model("mobilenetv2"), state_dict(net.model("mobilenetv2")));
  ImportOptions options;
  options.source = folder / "theirs.safetensors";
  options.out = folder / "ours.safetensors";
  const ImportResult result = import_weights(options);
  EXPECT_EQ(result.report.family, "torchvision");
  EXPECT_THAT(result.report.notes, ElementsAre());
  const SafetensorsFile file = SafetensorsFile::open(options.out);
  std::size_t compared = 0;
  for (const Parameter& p : net.parameters.list()) {
    const TensorView* tensor = file.find(p.name);
    if (tensor == nullptr) continue;
    EXPECT_TRUE(std::ranges::equal(tensor->bytes, std::as_bytes(net.parameters.values(p)))) << p.name;
    ++compared;
  }
  EXPECT_EQ(compared, GetParam() == Head::kLinear ? 260u : 262u);  // a head of one's own classes is not imported
}

INSTANTIATE_TEST_SUITE_P(Heads, RoundTrip, ::testing::Values(Head::kLinear, Head::kImagenet),
                         [](const auto& info) { return info.param == Head::kLinear ? "linear" : "imagenet"; });

}  // namespace
}  // namespace cudacards
