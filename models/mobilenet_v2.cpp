#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "host/runtime/error.h"
#include "models/builders.h"
#include "models/pixels.h"

namespace cudacards {
namespace {

constexpr float kEpsilon = 1e-3f;  // of every batch norm, as in Keras
constexpr int kStemFilters = 32, kFeatures = 1280;

// A run of blocks (Sandler et al., CVPR 2018, table 2). Only its first block strides.
struct Stage {
  int expansion, filters, blocks, stride;
};
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

/// The nearest multiple of 8 that takes away at most a tenth.
int rounded_channels(double wanted) {
  const int nearest = std::max(8, static_cast<int>(wanted + 4) / 8 * 8);
  return nearest < 0.9 * wanted ? nearest + 8 : nearest;
}

/// 0.35f as 0.35: channels are counted in double.
double exact_width(float width) {
  const auto& widths = mobilenet_widths();
  if (std::find(widths.begin(), widths.end(), width) == widths.end()) {
    const float nearest = *std::min_element(
        widths.begin(), widths.end(), [width](float a, float b) { return std::abs(a - width) < std::abs(b - width); });
    throw UsageError(fmt::format("mobilenetv2 has no width {}, did you mean {}?; known: {}", width, nearest,
                                 fmt::join(widths, ", ")));
  }
  return std::round(static_cast<double>(width) * 100) / 100;
}

/// Layers with names that weight files rely on: <place>/<layer>, see docs/formats.md.
class Network {
 public:
  explicit Network(const ModelSpec& spec)
      : width_(exact_width(spec.width_multiplier)), momentum_(spec.fine_tuning.momentum) {
    // (N,H,W,3) uint8 -> [-1,1]
    x_ = rescaled(g_, g_.image(spec.height, spec.width), input_range(spec));
  }

  void features() {
    int channels = rounded_channels(kStemFilters * width_);
    conv("stem/conv", {.filters = channels, .kernel = 3, .stride = 2});
    batch_norm("stem/bn");
    relu6("stem/relu");
    int index = 0;
    for (const Stage& stage : kStages) {
      const int filters = rounded_channels(static_cast<int>(stage.filters * width_));
      for (int i = 0; i < stage.blocks; ++i) {
        inverted_residual(fmt::format("block_{:02}/", index++), stage.expansion * channels, filters,
                          i == 0 ? stage.stride : 1);
        channels = filters;
      }
    }
    conv("top/conv", {.filters = width_ > 1 ? rounded_channels(kFeatures * width_) : kFeatures, .kernel = 1});
    batch_norm("top/bn");
    relu6("top/relu");
    x_ = g_.global_average_pool(x_);
    g_.named("pool");
  }

  void dense(const std::string& name, int units) {
    x_ = g_.dense(x_, units);
    g_.named(name);
  }
  void softmax(const std::string& name) {
    x_ = g_.softmax(x_);
    g_.named(name);
  }
  void dropout(const std::string& name, float rate) {
    x_ = g_.dropout(x_, rate);
    g_.named(name);
  }
  void freeze() { g_.set_trainable("", false); }
  Graph finish() && { return std::move(g_).logits(x_); }

 private:
  static InputRange input_range(const ModelSpec& spec) {
    const bool is_notebooks = spec.head == Head::kNotebook || spec.head == Head::kNotebookFinetune;
    if (spec.input_range == InputRange::kUnscaled && is_notebooks) return spec.input_range;
    if (spec.input_range != ModelSpec{}.input_range)
      throw UsageError("mobilenetv2 has the input range of its weights, -1..1: leave the other out");
    return InputRange::kCentred;
  }

  // "Same" padding: for stride 2 and an even size a zero behind and none in front, as in Keras. The batch norm's beta
  // is the bias.
  void conv(const std::string& name, Conv2dOptions options) {
    options.bias = false;
    x_ = g_.conv2d(x_, options);
    g_.named(name);
  }
  void depthwise(const std::string& name, int stride) {
    x_ = g_.depthwise_conv2d(x_, {.kernel = 3, .stride = stride, .bias = false});
    g_.named(name);
  }
  void batch_norm(const std::string& name) {
    x_ = g_.batch_norm(x_, momentum_, kEpsilon);
    g_.named(name);
  }
  void relu6(const std::string& name) {
    x_ = g_.activation(x_, Activation::kRelu6);
    g_.named(name);
  }

  /// Widen by 1x1, filter each channel by itself, narrow by 1x1; a way around where the shape stays.
  void inverted_residual(const std::string& block, int expanded, int filters, int stride) {
    const Node before = x_;
    const std::int64_t channels = g_.layer(before).shape[3];
    if (expanded != channels) {
      conv(block + "expand", {.filters = expanded, .kernel = 1});
      batch_norm(block + "expand_bn");
      relu6(block + "expand_relu");
    }
    depthwise(block + "depthwise", stride);
    batch_norm(block + "depthwise_bn");
    relu6(block + "depthwise_relu");
    conv(block + "project", {.filters = filters, .kernel = 1});
    batch_norm(block + "project_bn");
    if (stride != 1 || channels != filters) return;
    x_ = g_.add(before, x_);
    g_.named(block + "add");
  }

  Graph g_;
  Node x_;
  const double width_;
  const float momentum_;
};

}  // namespace

const std::vector<float>& mobilenet_widths() {
  static const std::vector<float> widths = {0.35f, 0.5f, 0.75f, 1.0f, 1.3f, 1.4f};
  return widths;
}

// MobileNetV2 (Sandler et al., CVPR 2018) as in Keras. At width 0.35: 410,208 values below the head, 1,692,489 with the
// 1,001-way classifier.
Graph mobilenet_v2(const ModelSpec& spec) {
  Network net(spec);
  net.features();  // (N,1280)
  switch (spec.head) {
    case Head::kLinear:
      net.dense("head", spec.classes);
      break;
    case Head::kImagenet:
      if (spec.classes != kImagenetLogits && spec.classes != kImagenetLogits - 1) {
        throw UsageError(
            fmt::format("the head imagenet names ImageNet's {} classes, or {} without the background, "
                        "not {}: use the head linear for others",
                        kImagenetLogits, kImagenetLogits - 1, spec.classes));
      }
      net.dense("classifier", spec.classes);
      break;
    case Head::kNotebook:
      net.dense("classifier", kImagenetLogits);
      net.freeze();
      net.dense("head", spec.classes);
      break;
    case Head::kNotebookFinetune:
      net.dense("classifier", kImagenetLogits);
      net.freeze();
      net.dense("head/hidden", 128);
      net.softmax("head/softmax");
      net.dropout("head/dropout", spec.dropout);
      net.dense("head/classes", spec.classes);
      break;
  }
  return std::move(net).finish();
}

}  // namespace cudacards
