// A convolution, its max pool behind it: for what the fused kernel refuses. The activation is monotone and comes last,
// so that the convolution has none and nothing but the winners is kept for the backward pass.

#include <algorithm>
#include <array>

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/cuda/widened.h"
#include "host/ops/ops.h"
#include "host/runtime/buffer.h"

namespace cudacards {
namespace cuda {
namespace {

Conv2d convolution_of(const Conv2d& conv) {
  Conv2dOptions options = conv.options;
  options.activation = Activation::kNone;
  return Conv2d(options);
}

Problem problem_of_convolution(const Conv2d& conv, Problem problem) {
  problem.dst.shape = convolution_of(conv).infer_shape(std::array{problem.src[0].shape});
  return problem;
}

class ThenPoolKernel final : public DeviceKernel {
 public:
  ThenPoolKernel(const Implementation& inner, const Conv2d& conv, const Problem& problem)
      : DeviceKernel(problem),
        activation_{.elements = problem.dst.shape.elements(), .activation = conv.options.activation},
        inner_problem_(problem_of_convolution(conv, problem)),
        pool_(MaxPool2d(*conv.pool).problem(inner_problem_.dst.shape)),
        inner_(inner.make(convolution_of(conv), inner_problem_)),
        inner_need_(inner_->memory()) {}

  MemoryNeed memory() const override {
    MemoryNeed need = inner_need_;
    need.scratchpad += pooled_bytes() + unpooled_bytes();
    need.workspace = training_ ? static_cast<std::size_t>(pool_.argmax_bytes()) : 0;
    need.backward_reads_dst = activation_.activation != Activation::kNone;
    return need;
  }

  bool rounds_to_tf32() const override { return inner_->rounds_to_tf32(); }

  void forward(const ForwardArgs& args) override {
    ForwardArgs inner = args;
    inner.dst = unpooled(args.scratchpad);
    inner.scratchpad = rest(args.scratchpad);
    inner_->forward(inner);
    const MaxPoolForwardArgs pool = {inner.dst, args.dst, args.workspace};
    require(kernels_.max_pool_forward(pool_, type_, pool, args.device.stream, pool_tuning(arch_)), "max pool, forward");
    if (activation_.activation == Activation::kNone) return;
    require(kernels_.activation_forward(activation_, type_, {args.dst, args.dst}, args.device.stream,
                                        elementwise_tuning(arch_)),
            "activation, forward");
  }

  void backward(const BackwardArgs& args) override {
    const Stream stream = args.device.stream;
    const void* diff = args.diff_dst;
    if (activation_.activation != Activation::kNone) {
      require(kernels_.activation_backward(activation_, type_,
                                           {args.dst, args.diff_dst, args.scratchpad, GradMode::kOverwrite}, stream,
                                           elementwise_tuning(arch_)),
              "activation, backward");
      diff = args.scratchpad;
    }
    const MaxPoolBackwardArgs pool = {diff, args.workspace, unpooled(args.scratchpad), GradMode::kOverwrite};
    require(kernels_.max_pool_backward(pool_, type_, pool, stream, pool_tuning(arch_)), "max pool, backward");
    BackwardArgs inner = args;
    inner.dst = nullptr;
    inner.diff_dst = pool.diff_src;
    inner.scratchpad = rest(args.scratchpad);
    inner_->backward(inner);
  }

 private:
  // The scratchpad: a tensor of dst's size, one of the convolution's result, the convolution's own.
  std::size_t pooled_bytes() const { return align_up(static_cast<std::size_t>(activation_.elements) * size_of(type_)); }
  std::size_t unpooled_bytes() const { return align_up(inner_problem_.dst.bytes()); }
  std::byte* unpooled(void* scratchpad) const { return static_cast<std::byte*>(scratchpad) + pooled_bytes(); }
  std::byte* rest(void* scratchpad) const { return unpooled(scratchpad) + unpooled_bytes(); }

  const ActivationProblem activation_;
  const Problem inner_problem_;
  const Pool2dProblem pool_;
  const std::unique_ptr<Kernel> inner_;
  const MemoryNeed inner_need_;
};

Verdict pool_is_supported(const Conv2d& conv, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  const Shape shape = problem_of_convolution(conv, problem).dst.shape;
  return problem.target.kernels->max_pool_supports(MaxPool2d(*conv.pool).problem(shape), problem.src[0].type);
}

/// The first that takes the convolution; null where none does.
const Implementation* inner_for(const Conv2d& conv, const Problem& problem) {
  static const std::array kInner = {&kCudaPointwise, &kCudaDepthwise, &kCudaDirectConv2d, &kCudaConv2d};
  const auto it = std::ranges::find_if(kInner, [&](const Implementation* inner) {
    return static_cast<bool>(inner->supports(convolution_of(conv), problem_of_convolution(conv, problem)));
  });
  return it == kInner.end() ? nullptr : *it;
}

Verdict supports_hand(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (!conv.pool) return Verdict::no("no pool behind the convolution");
  if (Verdict pool = pool_is_supported(conv, problem); !pool) return pool;
  return inner_for(conv, problem) ? Verdict::yes() : Verdict::no("no kernel for the convolution but the reference");
}

std::unique_ptr<Kernel> make_hand(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  return std::make_unique<ThenPoolKernel>(*inner_for(conv, problem), conv, problem);
}

Verdict supports_plain(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  return conv.pool ? pool_is_supported(conv, problem) : kCudaPlainConv2d.supports(operation, problem);
}

std::unique_ptr<Kernel> make_plain(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (!conv.pool) return kCudaPlainConv2d.make(operation, problem);
  return std::make_unique<ThenPoolKernel>(kCudaPlainConv2d, conv, problem);
}

}  // namespace

extern const Implementation kPlain;
constinit const Implementation kPlain = {"plain", "reference", supports_plain, make_plain};

}  // namespace cuda

constinit const Implementation kCudaConv2dThenPool = {"hand:conv-then-pool", "hand", cuda::supports_hand,
                                                      cuda::make_hand};
constinit const Implementation kCudaReferenceConv2d = cuda::widened<cuda::kPlain>();

}  // namespace cudacards
