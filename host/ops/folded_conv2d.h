#pragma once
// Convolution, batch norm by running statistics and activation as one convolution.

#include "host/ops/ops.h"

namespace cudacards {

/// What inference, and a frozen pair of layers in training, computes: dst = activation(norm(conv(src))), as a
/// convolution whose weights and bias are made from both layers' parameters where the host changes them: weights * s,
/// beta + (bias - mean) * s with s = gamma / sqrt(variance + epsilon). Parameters: the convolution's, then gamma, beta,
/// mean, variance. Implementations are the convolution's own, one by one.
class FoldedConv2d final : public Operation {
 public:
  /// The convolution must have no activation and no pool of its own.
  FoldedConv2d(const Conv2d& conv, const BatchNorm& norm);
  const Conv2d conv;  // as it stands in the graph
  const float epsilon;
  const Conv2d whole;  // with a bias, and the activation

  std::string_view kind() const override { return conv.kind(); }
  std::string_view stem() const override { return conv.stem(); }
  Shape infer_shape(std::span<const Shape> src) const override { return conv.infer_shape(src); }
  std::vector<ParameterSpec> parameters(std::span<const Shape> src) const override;
  double flops(std::span<const Shape> src) const override { return whole.flops(src); }
  std::string options_text() const override;
  std::optional<ErrorScales> error_scales(std::span<const Shape> src) const override;
  std::span<const Implementation> implementations(DeviceKind device) const override;
  std::unique_ptr<Operation> fuse(const Operation& consumer, const Shape& dst) const override;
};

/// What the CPU convolves with: the pair's weights and bias from `parameters` (FoldedConv2d::parameters()), in double,
/// rounded once.
void fold_batch_norm(std::span<const float* const> parameters, bool has_bias, float epsilon,
                     std::span<float> whole_weights, std::span<float> whole_bias);

}  // namespace cudacards
