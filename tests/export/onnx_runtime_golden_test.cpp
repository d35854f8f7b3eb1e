// What ONNX Runtime computes for the exported networks against what we compute: within 1e-5 of a picture's largest
// logit, one at a time and seven together. tests/golden/make_onnx_golden.py has run it once; the file holds its results
// and the digest of each model that it was given, so that today's exporter is known to write the very same ones.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "host/export/onnx.h"
#include "host/graph/plan.h"
#include "host/runtime/sha256.h"
#include "models/registry.h"
#include "tests/support/formula.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using namespace testing_support;

constexpr int kPictures = 7;
constexpr double kAllowed = 1e-5;

/// Height is not width, pools are ragged, and MobileNetV2's strides meet even and odd sizes.
ModelSpec spec_of(const std::string& network) {
  if (network != "mobilenetv2") return {.height = 20, .width = 28};
  return {.height = 33, .width = 48, .width_multiplier = 0.35f};
}

class OnnxRuntimeGolden : public ::testing::TestWithParam<std::string> {
 protected:
  OnnxRuntimeGolden() : graph_(build_model(GetParam(), spec_of(GetParam()))), parameters_(graph_) {
    set_initial_values(parameters_);
    for (const Parameter& p : parameters_.list()) {  // that folding has something to fold
      const double reach = p.spec.name == "mean" ? 0.1 : p.spec.name == "variance" ? 0.5 : 0;
      const auto values = parameters_.values(p);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] += static_cast<float>(reach * uniform(static_cast<std::int64_t>(i), key_of(p.name)));
    }
    parameters_.touch();
  }

  std::vector<float> our_logits(int batch) {
    const std::int64_t bytes = graph_.input_shape().elements();
    const auto pixels = formula_pixels(kPictures, bytes);
    const auto pictures = each_of(pixels, bytes);
    Plan plan = Plan::make(graph_, parameters_, {.batch = batch, .mode = Mode::kInfer});
    std::vector<float> logits;
    for (std::size_t first = 0; first < kPictures; first += static_cast<std::size_t>(batch)) {
      plan.forward({.images = std::span(pictures).subspan(first, static_cast<std::size_t>(batch)), .transforms = {}},
                   Step{});
      logits.insert(logits.end(), plan.logits(), plan.logits() + std::ptrdiff_t{batch} * kCardClasses);
    }
    return logits;
  }

  const Graph graph_;
  Parameters parameters_;
};

TEST_P(OnnxRuntimeGolden, AgreesWithTheSameModel) {
  const std::string golden_path = std::string(CUDACARDS_SOURCE_DIR) + "/tests/golden/onnx_runtime.safetensors";
  const char* folder = std::getenv("CUDACARDS_WRITE_ONNX");  // make_onnx_golden.py wants the models
  const std::string bytes = missing_onnx().empty() ? to_onnx({graph_, parameters_, GetParam(), {}, "", ""}) : "";
  if (folder != nullptr) return write_bytes(fmt::format("{}/{}.onnx", folder, GetParam()), bytes);

  const SafetensorsFile golden = SafetensorsFile::open(golden_path);
  if (!bytes.empty()) {
    EXPECT_EQ(hex(sha256({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()})),
              golden.metadata().at(GetParam()))
        << "the exporter writes another model: run tests/golden/make_onnx_golden.py";
  }
  for (const int batch : {1, kPictures}) {
    const auto theirs = golden.read_floats(fmt::format("{}/batch {}", GetParam(), batch), {kPictures, kCardClasses});
    const std::vector<float> ours = our_logits(batch);
    for (std::size_t picture = 0; picture < kPictures; ++picture) {
      double largest = 0, difference = 0;
      for (std::size_t i = picture * kCardClasses; i < (picture + 1) * kCardClasses; ++i) {
        largest = std::max(largest, std::abs(double{theirs[i]}));
        difference = std::max(difference, std::abs(double{ours[i]} - double{theirs[i]}));
      }
      EXPECT_GT(largest, 0.1) << "nothing to compare with";
      EXPECT_LE(difference, kAllowed * largest) << "picture " << picture << " in a batch of " << batch;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, OnnxRuntimeGolden, ::testing::Values("mlp", "cnn", "mobilenetv2"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace cudacards
