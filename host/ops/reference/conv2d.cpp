#include "host/ops/reference/conv2d.h"

#include "host/ops/ops.h"
#include "host/ops/reference/dense.h"
#include "host/ops/reference/elementwise.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/reference/kernel.h"
#include "host/ops/reference/pool.h"

namespace cudacards {
namespace reference {
namespace {

// Convolution, bias, activation and then, where the plan has fused one, the max pool: the unfused steps, one after the
// other. Backward: diff_dst -> (through the pool's argmax) -> (through the activation) -> diff_src, diff_weights,
// diff_bias. Both steps in brackets move gradients to where the convolution's result was and cost a scratchpad of that
// size.
template <class S, class D>
class Conv2dKernel final : public Kernel {
 public:
  Conv2dKernel(const Conv2d& op, const Problem& problem)
      : conv_(op.problem(problem.src[0].shape)),
        activation_(op.options.activation),
        has_bias_(op.options.bias),
        training_(problem.training) {
    if (op.pool) pool_ = MaxPool2d(*op.pool).problem({conv_.n, conv_.p(), conv_.q(), conv_.k});
  }

  MemoryNeed memory() const override {
    const auto unpooled = static_cast<std::size_t>(conv_.dst_elements()) * sizeof(D);
    MemoryNeed need{.backward_reads_dst = has_activation()};
    if (pool_ || (training_ && has_activation())) need.scratchpad = unpooled;
    if (pool_ && training_) {
      need.scratchpad += diff_pooled_bytes();
      need.workspace = static_cast<std::size_t>(pool_->dst_elements()) * sizeof(std::int32_t);
    }
    return need;
  }

  void forward(const ForwardArgs& args) override {
    auto* conv_dst = static_cast<D*>(pool_ ? args.scratchpad : args.dst);
    conv2d_forward(conv_, static_cast<const S*>(args.src[0]), args.parameters[0],
                   has_bias_ ? args.parameters[1] : nullptr, activation_, conv_dst);
    if (pool_) {
      max_pool_forward(*pool_, conv_dst, static_cast<D*>(args.dst),
                       training_ ? static_cast<std::int32_t*>(args.workspace) : nullptr);
    }
  }

  void backward(const BackwardArgs& args) override {
    const D* diff = diff_before_activation(args);
    const GradMode mode = args.diff_parameters_mode;
    if (args.diff_src_mode[0] != GradMode::kIgnore) {
      conv2d_backward_data(conv_, diff, args.parameters[0], args.diff_src_mode[0], static_cast<S*>(args.diff_src[0]));
    }
    if (mode == GradMode::kIgnore) return;
    if (float* diff_weights = args.diff_parameters[0]) {
      conv2d_backward_weights(conv_, static_cast<const S*>(args.src[0]), diff, mode, diff_weights);
    }
    if (has_bias_ && args.diff_parameters[1]) {
      bias_backward(std::int64_t{conv_.n} * conv_.p() * conv_.q(), conv_.k, diff, mode, args.diff_parameters[1]);
    }
  }

 private:
  bool has_activation() const { return activation_ != Activation::kNone; }
  std::size_t diff_pooled_bytes() const {
    return has_activation() ? static_cast<std::size_t>(pool_->dst_elements()) * sizeof(D) : 0;
  }

  // The winner of a window has the window's result, so the activation's derivative is known before the gradient is
  // spread.
  const D* diff_before_activation(const BackwardArgs& args) const {
    const auto* diff = static_cast<const D*>(args.diff_dst);
    auto* free = static_cast<D*>(args.scratchpad);
    if (has_activation()) {
      const std::int64_t count = pool_ ? pool_->dst_elements() : conv_.dst_elements();
      activation_backward(activation_, count, static_cast<const D*>(args.dst), diff, GradMode::kOverwrite, free);
      diff = free;
      free += count;
    }
    if (pool_) {
      max_pool_backward(*pool_, diff, static_cast<const std::int32_t*>(args.workspace), GradMode::kOverwrite, free);
      diff = free;
    }
    return diff;
  }

  Conv2dProblem conv_;
  std::optional<Pool2dProblem> pool_;
  Activation activation_;
  bool has_bias_;
  bool training_;
};

}  // namespace
}  // namespace reference

const Implementation kReferenceConv2d = reference::implementation<Conv2d, reference::Conv2dKernel>();

}  // namespace cudacards
