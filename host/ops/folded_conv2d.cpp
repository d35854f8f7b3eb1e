#include "host/ops/folded_conv2d.h"

#include <array>
#include <cmath>

#include "host/ops/reference/implementations.h"
#include "host/ops/vendor/onednn.h"
#include "host/runtime/buffer.h"
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

/// A kernel of the convolution, fed with folded parameters.
class FoldedKernel final : public Kernel {
 public:
  FoldedKernel(const FoldedConv2d& op, const Problem& problem, std::unique_ptr<Kernel> inner)
      : inner_(std::move(inner)),
        filters_(op.conv.options.filters),
        weights_(op.conv.problem(problem.src[0].shape).weight_elements()),
        has_bias_(op.conv.options.bias),
        epsilon_(op.epsilon) {}

  MemoryNeed memory() const override {
    MemoryNeed need = inner_->memory();
    need.packed = folded_bytes() + need.packed;
    return need;
  }

  void forward(const ForwardArgs& args) override {
    auto* folded = static_cast<float*>(args.packed);
    if (args.step.parameters_changed || !folded_once_) fold(args.parameters, folded);
    folded_once_ = true;
    float* parameters[] = {folded, bias_in(args.packed)};
    ForwardArgs inner = args;
    inner.parameters = parameters;
    inner.packed = behind(args.packed);
    inner_->forward(inner);
  }

  /// Only of what lies below: neither layer is trainable.
  void backward(const BackwardArgs& args) override {
    const float* parameters[] = {static_cast<const float*>(args.packed), bias_in(args.packed)};
    float* diff_parameters[] = {nullptr, nullptr};
    BackwardArgs inner = args;
    inner.parameters = parameters;
    inner.diff_parameters = diff_parameters;
    inner.diff_parameters_mode = GradMode::kIgnore;
    inner.packed = behind(args.packed);
    inner_->backward(inner);
  }

 private:
  std::size_t weight_bytes() const { return align_up(static_cast<std::size_t>(weights_) * sizeof(float)); }
  std::size_t folded_bytes() const {
    return weight_bytes() + align_up(static_cast<std::size_t>(filters_) * sizeof(float));
  }
  float* bias_in(void* packed) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(packed) + weight_bytes());
  }
  void* behind(void* packed) const { return static_cast<std::byte*>(packed) + folded_bytes(); }

  // GCC 12 takes inner_ for another FoldedKernel, inlines this into itself, and warns of the two parameters.
  [[gnu::noinline]] void fold(std::span<float* const> parameters, float* folded) const {
    const float* weights = parameters[0];  // (K, R*S*C/groups)
    const float* bias = has_bias_ ? parameters[1] : nullptr;
    const auto norm = parameters.subspan(has_bias_ ? 2 : 1);
    const float *gamma = norm[0], *beta = norm[1], *mean = norm[2], *variance = norm[3];
    float* shift = bias_in(folded);
    const std::int64_t per_filter = weights_ / filters_;
    for (std::int64_t k = 0; k < filters_; ++k) {
      const double scale =
          static_cast<double>(gamma[k]) / std::sqrt(static_cast<double>(variance[k]) + static_cast<double>(epsilon_));
      const double moved = (bias ? static_cast<double>(bias[k]) : 0.0) - static_cast<double>(mean[k]);
      shift[k] = static_cast<float>(static_cast<double>(beta[k]) + moved * scale);
      for (std::int64_t i = k * per_filter; i < (k + 1) * per_filter; ++i)
        folded[i] = static_cast<float>(static_cast<double>(weights[i]) * scale);
    }
  }

  const std::unique_ptr<Kernel> inner_;
  const std::int64_t filters_, weights_;
  const bool has_bias_;
  const float epsilon_;
  bool folded_once_ = false;
};

const FoldedConv2d& folded(const Operation& operation) {
  const auto* op = dynamic_cast<const FoldedConv2d*>(&operation);
  CUDACARDS_CHECK(op != nullptr);
  return *op;
}

template <const Implementation& Inner>
Verdict supports(const Operation& operation, const Problem& problem) {
  if (problem.diff_parameters_wanted) return Verdict::no("its batch norm is to be trained");
  return Inner.supports(folded(operation).whole, problem);
}

template <const Implementation& Inner>
std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  const FoldedConv2d& op = folded(operation);
  return std::make_unique<FoldedKernel>(op, problem, Inner.make(op.whole, problem));
}

template <const Implementation& Inner>
Implementation wrapped() {
  return {Inner.name, Inner.family, supports<Inner>, make<Inner>};
}

}  // namespace

FoldedConv2d::FoldedConv2d(const Conv2d& conv, const BatchNorm& norm)
    : conv(conv), epsilon(norm.epsilon), whole(whole_options(conv, norm)) {}

std::vector<ParameterSpec> FoldedConv2d::parameters(std::span<const Shape> src) const {
  std::vector<ParameterSpec> specs = conv.parameters(src);
  const Shape dst[] = {conv.infer_shape(src)};
  for (ParameterSpec& spec : BatchNorm().parameters(dst)) specs.push_back(std::move(spec));
  return specs;
}

std::unique_ptr<Operation> FoldedConv2d::fuse(const Operation& consumer, const Shape&) const {
  const auto* layer = dynamic_cast<const ActivationLayer*>(&consumer);
  if (!layer || whole.options.activation != Activation::kNone) return nullptr;
  return std::make_unique<FoldedConv2d>(conv, BatchNorm(0.99f, epsilon, layer->activation));
}

std::span<const Implementation> FoldedConv2d::implementations(DeviceKind device) const {
  // Not a constant: the convolution's own entries live in other files.
  static const std::array kCpu = {wrapped<kOnednnConv2d>(), wrapped<kReferenceConv2d>()};
  if (device != DeviceKind::kCpu) return {};
  return kCpu;
}

}  // namespace cudacards
