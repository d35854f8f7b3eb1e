#include "host/ops/folded_conv2d.h"

#include <array>
#include <cmath>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/folded_kernel.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/vendor/onednn.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

Conv2dOptions whole_options(const Conv2d& conv, const BatchNorm& norm) {
  CUDACARDS_CHECK(!conv.pool && conv.options.activation == Activation::kNone);
  Conv2dOptions options = conv.options;
  options.bias = true;
  options.activation = norm.activation;
  return options;
}

class HostFolding final : public FoldedKernel {
 public:
  using FoldedKernel::FoldedKernel;

 private:
  void fold(const ForwardArgs& args, const FoldedParameters& folded) const override {
    fold_batch_norm(args.parameters, has_bias_, epsilon_, {folded.weights, static_cast<std::size_t>(weights_)},
                    {folded.bias, static_cast<std::size_t>(filters_)});
  }
};

template <const Implementation& Inner>
Implementation wrapped() {
  return folded::wrapped<Inner, HostFolding>();
}

}  // namespace

void fold_batch_norm(std::span<const float* const> parameters, bool has_bias, float epsilon,
                     std::span<float> whole_weights, std::span<float> whole_bias) {
  const float* weights = parameters[0];  // (K, R*S*C/groups)
  const float* bias = has_bias ? parameters[1] : nullptr;
  const auto norm = parameters.subspan(has_bias ? 2 : 1);
  const float *gamma = norm[0], *beta = norm[1], *mean = norm[2], *variance = norm[3];
  const std::size_t filters = whole_bias.size(), per_filter = whole_weights.size() / filters;
  for (std::size_t k = 0; k < filters; ++k) {
    const double scale =
        static_cast<double>(gamma[k]) / std::sqrt(static_cast<double>(variance[k]) + static_cast<double>(epsilon));
    const double moved = (bias ? static_cast<double>(bias[k]) : 0.0) - static_cast<double>(mean[k]);
    whole_bias[k] = static_cast<float>(static_cast<double>(beta[k]) + moved * scale);
    for (std::size_t i = k * per_filter; i < (k + 1) * per_filter; ++i)
      whole_weights[i] = static_cast<float>(static_cast<double>(weights[i]) * scale);
  }
}

FoldedConv2d::FoldedConv2d(const Conv2d& conv, const BatchNorm& norm)
    : conv(conv), epsilon(norm.epsilon), whole(whole_options(conv, norm)) {}

std::vector<ParameterSpec> FoldedConv2d::parameters(std::span<const Shape> src) const {
  std::vector<ParameterSpec> specs = conv.parameters(src);
  const Shape dst[] = {conv.infer_shape(src)};
  for (ParameterSpec& spec : BatchNorm().parameters(dst)) {
    if (spec.name == "gamma") spec.neutral = 1.0f;
    if (spec.name == "variance") spec.neutral = 1.0f - epsilon;  // plus epsilon it is 1
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::unique_ptr<Operation> FoldedConv2d::fuse(const Operation& consumer, const Shape&) const {
  const auto* layer = dynamic_cast<const ActivationLayer*>(&consumer);
  if (!layer || whole.options.activation != Activation::kNone) return nullptr;
  return std::make_unique<FoldedConv2d>(conv, BatchNorm(0.99f, epsilon, layer->activation));
}

std::span<const Implementation> FoldedConv2d::implementations(DeviceKind device) const {
  // Not a constant: the convolution's own entries live in other files.
  static const std::array kCpu = {wrapped<kCpuDepthwise>(), wrapped<kOnednnConv2d>(), wrapped<kReferenceConv2d>()};
  if (device != DeviceKind::kCpu) return cuda_folded_conv2d(device);
  return kCpu;
}

}  // namespace cudacards
