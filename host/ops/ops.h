#pragma once
// The operations that a graph is made of. Each class is a description; arithmetic is in reference/ and vendor/.

#include <array>

#include "host/ops/operation.h"
#include "kernels/base/activation.h"
#include "kernels/conv2d/problem.h"
#include "kernels/pool/problem.h"

namespace cudacards {

enum class Padding : std::uint8_t { kSame, kValid };

/// dst = pixel * scale + offset, from the graph's uint8 pictures; augmentation, when a batch has it, happens in the
/// same pass.
class Rescale final : public Operation {
 public:
  Rescale(float scale, float offset) : scale(scale), offset(offset) {}
  const float scale, offset;

  std::string_view kind() const override { return "Rescaling"; }
  std::string_view stem() const override { return "rescaling"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// Rows and columns; a plain number means a square.
struct Extent2d {
  int h = 1, w = 1;
  constexpr Extent2d(int side) : h(side), w(side) {}  // NOLINT(google-explicit-constructor): {.kernel = 3} reads well
  constexpr Extent2d(int h, int w) : h(h), w(w) {}
  bool operator==(const Extent2d&) const = default;
};

struct Conv2dOptions {
  int filters = 1;
  Extent2d kernel = 3;
  Extent2d stride = 1;
  Padding padding = Padding::kSame;
  int groups = 1;
  bool bias = true;
  Activation activation = Activation::kNone;
};

struct Pool2dOptions {
  Extent2d window = 2;
  std::optional<Extent2d> stride = std::nullopt;  // as the window when not given
  Extent2d step() const { return stride.value_or(window); }
};

/// src (N,H,W,C) -> (N,P,Q,K): convolution (cross-correlation, as every framework means it), + bias, activation, and
/// after fusion a max pool. Depthwise convolution is groups == C. Parameters: weights (K,R,S,C/groups), bias (K).
class Conv2d final : public Operation {
 public:
  explicit Conv2d(const Conv2dOptions& options, std::optional<Pool2dOptions> pool = std::nullopt);
  const Conv2dOptions options;
  const std::optional<Pool2dOptions>
      pool;  // max pool behind the activation; the winner of a window is the first of equals

  /// The convolution proper, before any pool.
  Conv2dProblem problem(const Shape& src) const;
  bool is_depthwise(const Shape& src) const { return options.groups > 1 && options.groups == src[3]; }

  std::string_view kind() const override { return has_one_filter_a_group() ? "DepthwiseConv2D" : "Conv2D"; }
  std::string_view stem() const override { return has_one_filter_a_group() ? "depthwise_conv2d" : "conv2d"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters(std::span<const Shape> src) const override;
  double flops(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
  std::unique_ptr<Operation> fuse(const Operation& consumer, const Shape& dst) const override;

 private:
  bool has_one_filter_a_group() const { return options.groups > 1 && options.groups == options.filters; }
};

/// Largest of each window. The gradient goes to the first of equals, in row order.
class MaxPool2d final : public Operation {
 public:
  explicit MaxPool2d(const Pool2dOptions& options) : options(options) {}
  const Pool2dOptions options;

  Pool2dProblem problem(const Shape& src) const;
  std::string_view kind() const override { return "MaxPooling2D"; }
  std::string_view stem() const override { return "max_pooling2d"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// (N,H,W,C) -> (N,C), the mean over H and W.
class GlobalAveragePool2d final : public Operation {
 public:
  std::string_view kind() const override { return "GlobalAveragePooling2D"; }
  std::string_view stem() const override { return "global_average_pooling2d"; }
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  double flops(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// (N,H,W,C) -> (N,H*W*C), a view.
class Flatten final : public Operation {
 public:
  std::string_view kind() const override { return "Flatten"; }
  std::string_view stem() const override { return "flatten"; }
  Shape infer_shape(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
  bool is_view() const override { return true; }
};

/// dst (N,units) = activation(src (N,in) * weights(units,in)^T + bias).
class Dense final : public Operation {
 public:
  explicit Dense(int units, Activation activation = Activation::kNone, bool bias = true);
  const int units;
  const Activation activation;
  const bool bias;

  std::string_view kind() const override { return "Dense"; }
  std::string_view stem() const override { return "dense"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters(std::span<const Shape> src) const override;
  double flops(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
  std::unique_ptr<Operation> fuse(const Operation& consumer, const Shape& dst) const override;
};

/// ReLU or ReLU6, elementwise.
class ActivationLayer final : public Operation {
 public:
  explicit ActivationLayer(Activation activation) : activation(activation) {}
  const Activation activation;

  std::string_view kind() const override { return "Activation"; }
  std::string_view stem() const override { return name_of(activation); }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// Softmax over the last dimension, as a layer. (A classifier's own softmax is part of the loss and of predict.)
class Softmax final : public Operation {
 public:
  std::string_view kind() const override { return "Softmax"; }
  std::string_view stem() const override { return "softmax"; }
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// Inverted dropout: in training each element is zeroed with probability `rate`, the rest scaled by 1/(1-rate). Element
/// i of the node is kept where uniform01(random4(seed, kDropout, step, node, i/4).v[i%4]) >= rate, so backward draws
/// again and keeps no mask.
class Dropout final : public Operation {
 public:
  explicit Dropout(float rate);
  const float rate;

  std::string_view kind() const override { return "Dropout"; }
  std::string_view stem() const override { return "dropout"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// Sum of two tensors of one shape (residual connections).
class Add final : public Operation {
 public:
  std::string_view kind() const override { return "Add"; }
  std::string_view stem() const override { return "add"; }
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
};

/// Batch normalisation over all but the last dimension (Ioffe and Szegedy, ICML 2015), then an optional activation.
/// Training: batch mean and biased variance; running = momentum * running + (1 - momentum) * batch (Keras' convention).
/// Inference: running statistics; a frozen layer (Problem::diff_parameters_wanted is false) uses them in training too
/// and leaves them alone, as Keras does. Parameters: gamma, beta, mean, variance (the last two not trainable).
class BatchNorm final : public Operation {
 public:
  explicit BatchNorm(float momentum = 0.99f, float epsilon = 1e-3f, Activation activation = Activation::kNone)
      : momentum(momentum), epsilon(epsilon), activation(activation) {}
  const float momentum, epsilon;
  const Activation activation;

  std::string_view kind() const override { return "BatchNormalization"; }
  std::string_view stem() const override { return "batch_normalization"; }
  std::string options_text() const override;
  Shape infer_shape(std::span<const Shape> src) const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
  std::unique_ptr<Operation> fuse(const Operation& consumer, const Shape& dst) const override;
};

}  // namespace cudacards
