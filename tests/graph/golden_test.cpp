// Whole networks against what PyTorch computes for them in double precision: logits, losses, every gradient by name,
// ten losses of Adam, running statistics. tests/golden/make_network_golden.py makes the files and says how; inputs,
// parameters and samples come from its formula, repeated here. A vector may differ from the file's by a small multiple
// of what rounding alone did to it in the script's trials (2-norm), so the tolerance follows each network and each
// tensor.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "host/graph/plan.h"
#include "host/ops/optimizer.h"
#include "host/ops/softmax_loss.h"
#include "models/registry.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

constexpr int kBatch = 4, kHeight = 20, kWidth = 28, kClasses = 53, kAdamSteps = 10;
constexpr int kMobilenetSide = 32;
constexpr std::int64_t kSampledAbove = 4096, kSamples = 1024;
constexpr double kMultipleOfRounding =
    4;  // the file's deviation is the largest of eight trials; a sound run may be somewhat above it

// The formula of make_network_golden.py
// ------------------------------------------------------------------------------------

std::uint32_t key_of(std::string_view name) {  // FNV-1a
  std::uint32_t h = 0x811C9DC5u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return h;
}

std::uint32_t mix(std::int64_t index, std::uint32_t key) {  // the finaliser of MurmurHash3
  std::uint32_t h = static_cast<std::uint32_t>(index) + key;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

double uniform(std::int64_t index, std::uint32_t key) {
  return static_cast<double>(mix(index, key) >> 8) / (1 << 23) - 1;
}

void set_initial_values(Parameters& parameters) {
  for (const auto& p : parameters.list()) {
    const double fan_in = static_cast<double>(p.spec.shape.elements()) / static_cast<double>(p.spec.shape[0]);
    const std::string& leaf = p.spec.name;
    double centre = 0, reach = 0;
    if (leaf == "weights") reach = std::sqrt(6 / fan_in);
    if (leaf == "bias" || leaf == "beta") reach = 0.1;
    if (leaf == "gamma" || leaf == "variance") centre = 1;
    if (leaf == "gamma") reach = 0.25;
    const auto values = parameters.values(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(centre + reach * uniform(static_cast<std::int64_t>(i), key_of(p.name)));
    }
  }
  parameters.touch();
}

std::vector<std::uint8_t> pixels(std::int64_t bytes_each) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kBatch * bytes_each));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(mix(static_cast<std::int64_t>(i), key_of("pixels")) % 256);
  }
  return bytes;
}

std::vector<std::int32_t> labels() {
  std::vector<std::int32_t> result(kBatch);
  for (int i = 0; i < kBatch; ++i)
    result[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(mix(i, key_of("labels")) % kClasses);
  return result;
}

// What is compared
// ---------------------------------------------------------------------------------------------------------

class Golden {
 public:
  Golden(const std::string& network, Precision precision)
      : file_(SafetensorsFile::open(fmt::format("{}/tests/golden/{}.safetensors", CUDACARDS_SOURCE_DIR, network))),
        precision_(name_of(precision)) {}

  /// The tensor itself, or its samples and sums where it is long.
  void expect(const std::string& name, std::span<const float> actual, std::int64_t rows = 1) {
    const auto size = static_cast<std::int64_t>(actual.size());
    if (size <= kSampledAbove) return expect_vector(name, {actual.begin(), actual.end()});
    const std::int64_t columns = size / rows;
    std::vector<double> samples, row_sums(static_cast<std::size_t>(rows)),
        column_sums(static_cast<std::size_t>(columns));
    for (std::int64_t i = 0; i < kSamples; ++i)
      samples.push_back(actual[mix(i, key_of("samples")) % static_cast<std::uint64_t>(size)]);
    for (std::int64_t i = 0; i < size; ++i) {
      row_sums[static_cast<std::size_t>(i / columns)] += actual[static_cast<std::size_t>(i)];
      column_sums[static_cast<std::size_t>(i % columns)] += actual[static_cast<std::size_t>(i)];
    }
    expect_vector(name + ":samples", samples);
    expect_vector(name + ":rows", row_sums);
    expect_vector(name + ":columns", column_sums);
  }

  void expect_all_compared() const {
    for (const auto& tensor : file_.tensors()) {
      const bool is_result = tensor.name.find('@') == std::string::npos;
      EXPECT_TRUE(!is_result || compared_.contains(tensor.name)) << tensor.name;
    }
  }

  double worst() const { return worst_; }
  const std::string& worst_name() const { return worst_name_; }

 private:
  void expect_vector(const std::string& name, const std::vector<double>& actual) {
    ASSERT_NE(file_.find(name), nullptr) << name;
    const auto expected = file_.read_floats(name, {static_cast<std::int64_t>(actual.size())});
    const double bound = kMultipleOfRounding * file_.read_floats(fmt::format("{}@{}", name, precision_), {1})[0];
    double sum = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) sum += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    const double error = std::sqrt(sum);
    EXPECT_LE(error, bound) << name;
    compared_.insert(name);
    if (error / bound > worst_) {
      worst_ = error / bound;
      worst_name_ = name;
    }
  }

  SafetensorsFile file_;
  std::string precision_;
  std::set<std::string> compared_;
  double worst_ = 0;
  std::string worst_name_;
};

/// The small inverted residual of the script: strided, pointwise and depthwise convolutions, batch norm, ReLU6, a sum.
Graph residual() {
  Graph g;
  const auto conv_norm = [&](Node x, const Conv2dOptions& options) {
    return g.batch_norm(options.groups > 1 ? g.depthwise_conv2d(x, options) : g.conv2d(x, options));
  };
  Node x = g.rescale(g.image(kHeight, kWidth), 1.0f / 255);
  x = g.activation(conv_norm(x, {.filters = 8, .stride = 2, .bias = false}), Activation::kRelu6);
  Node y = g.activation(conv_norm(x, {.filters = 24, .kernel = 1, .bias = false}), Activation::kRelu6);
  y = g.activation(conv_norm(y, {.filters = 24, .groups = 24, .bias = false}), Activation::kRelu6);
  y = conv_norm(y, {.filters = 8, .kernel = 1, .bias = false});
  return std::move(g).logits(g.dense(g.global_average_pool(g.add(x, y)), kClasses));
}

/// Of which the files have one smoothing and no bf16: they would be large, and bf16's rounding is larger than many of
/// its gradients.
bool is_deep(const std::string& network) { return network == "mobilenetv2"; }

Graph network(const std::string& name) {
  if (name == "residual") return residual();
  ModelSpec spec{.height = kHeight, .width = kWidth, .classes = kClasses, .dropout = 0};
  if (is_deep(name)) {
    spec.height = spec.width = kMobilenetSide;
    spec.width_multiplier = 0.35f;
  }
  return build_model(name, spec);
}

struct Case {
  std::string network;
  ImplChoice impl;
  Precision precision;
  bool fuse;
};

class NetworkGolden : public ::testing::TestWithParam<Case> {};

TEST_P(NetworkGolden, AgreesWithPyTorch) {
  const Case& c = GetParam();
  const Graph graph = network(c.network);
  const std::int64_t picture = graph.input_shape().elements();
  const auto bytes = pixels(picture);
  const auto targets = labels();
  std::vector<const std::uint8_t*> images;
  for (int i = 0; i < kBatch; ++i) images.push_back(bytes.data() + i * picture);
  Golden golden(c.network, c.precision);

  for (const float smoothing : is_deep(c.network) ? std::vector{0.1f} : std::vector{0.0f, 0.1f}) {
    const std::string prefix = fmt::format("smoothing {:.1f}/", smoothing);
    Parameters parameters(graph);
    set_initial_values(parameters);
    Plan plan =
        Plan::make(graph, parameters, {.batch = kBatch, .precision = c.precision, .impl = c.impl, .fuse = c.fuse});
    std::vector<float> moment1(static_cast<std::size_t>(parameters.size())), moment2(moment1.size()), losses;

    for (std::uint64_t number = 0; number < kAdamSteps; ++number) {
      const Step step{.training = true, .number = number};
      plan.forward({.images = images, .transforms = {}}, step);
      const auto loss =
          softmax_loss(plan.logits(), targets.data(), kBatch, kBatch, kClasses, smoothing, plan.diff_logits());
      losses.push_back(static_cast<float>(loss.loss_sum / kBatch));
      plan.backward(step);
      if (number == 0) {
        golden.expect("logits", {plan.logits(), std::size_t{kBatch} * kClasses});
        for (const auto& p : parameters.list()) {
          const auto begin = static_cast<std::size_t>(p.begin), size = static_cast<std::size_t>(p.end - p.begin);
          if (p.trainable) {
            golden.expect(prefix + "diff " + p.name, plan.gradients().subspan(begin, size), p.spec.shape[0]);
          } else {
            golden.expect("statistic " + p.name, parameters.values(p));
          }
        }
      }
      optimizer_step({}, parameters.segments(), 1e-3f, number, parameters.values(), plan.gradients(), moment1, moment2);
      parameters.touch();
    }
    golden.expect(prefix + "losses", losses);
  }
  golden.expect_all_compared();
  RecordProperty("largest_share_of_the_bound", fmt::format("{:.2f} ({})", golden.worst(), golden.worst_name()));
}

const char* word_for(ImplChoice impl) {
  if (impl == ImplChoice::kReference) return "reference";
  return impl == ImplChoice::kVendor ? "vendor" : "auto";
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const char* network : {"mlp", "cnn", "residual", "mobilenetv2"}) {
    for (const ImplChoice impl : {ImplChoice::kReference, ImplChoice::kVendor, ImplChoice::kAuto}) {
      for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        if (is_deep(network) && precision != Precision::kF32) continue;
        for (const bool fuse : {true, false}) result.push_back({network, impl, precision, fuse});
      }
    }
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(Models, NetworkGolden, ::testing::ValuesIn(cases()), [](const auto& info) {
  const Case& c = info.param;
  return fmt::format("{}_{}_{}_{}", c.network, word_for(c.impl), name_of(c.precision), c.fuse ? "fused" : "unfused");
});

}  // namespace
}  // namespace cudacards
