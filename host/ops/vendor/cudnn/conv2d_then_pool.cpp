// A convolution with bias and activation in one graph of cuDNN's, then its max pool: the vendor's way to what the
// project's fused kernel does in one pass.

#include <algorithm>
#include <array>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/cudnn/pool.h"
#include "host/ops/vendor/device_steps.h"
#include "host/ops/vendor/making.h"

namespace cudacards {
namespace cudnn {
namespace {

using vendor::at;
using vendor::Refused;

Problem unpooled_problem(const Conv2d& conv, Problem problem) {
  problem.dst.shape = Conv2d(conv.options).infer_shape(std::array{problem.src[0].shape});
  return problem;
}

/// Of the pool: its src is the convolution's dst, whose gradient is wanted whenever any of the convolution's is.
Problem pool_problem(const Conv2d& conv, const Problem& problem) {
  Problem pool = problem;
  pool.src = {unpooled_problem(conv, problem).dst};
  pool.diff_src_wanted = {problem.diff_parameters_wanted || problem.diff_src_wanted[0]};
  return pool;
}

/// Between the two passes nothing is kept but the winners: the activation is monotone, so that its gradient's mask can
/// be taken from the pooled result, and backward goes through a convolution without one.
class ThenPoolKernel final : public Kernel {
 public:
  ThenPoolKernel(const Conv2d& conv, const Problem& problem)
      : activation_(conv.options.activation),
        pooled_{problem.dst.type, problem.dst.shape.elements()},
        pool_problem_(pool_problem(checked(conv), problem)),
        pool_(MaxPool2d(*conv.pool).problem(pool_problem_.src[0].shape), PoolKind::kMax, pool_problem_),
        kernels_(*problem.target.kernels),
        forward_(make_forward(conv, problem)),
        backward_(problem.training ? make_backward(conv, problem) : nullptr) {
    unpooled_ = scratchpad_.take(pool_problem_.src[0].bytes());
    if (problem.training) masked_ = scratchpad_.take(problem.dst.bytes());
    const std::size_t backward = backward_ ? backward_->memory().scratchpad : 0;
    rest_ = scratchpad_.take(std::max({forward_->memory().scratchpad, backward, pool_.workspace()}));
  }

  MemoryNeed memory() const override {
    return {.workspace = pool_.index_bytes(),
            .scratchpad = scratchpad_.bytes(),
            .backward_reads_src = backward_ && backward_->memory().backward_reads_src,
            .backward_reads_dst = activation_ != Activation::kNone};
  }

  bool rounds_to_tf32() const override { return forward_->rounds_to_tf32(); }

  void forward(const ForwardArgs& args) override {
    ForwardArgs inner = args;
    inner.dst = at<void>(args.scratchpad, unpooled_);
    inner.scratchpad = at<void>(args.scratchpad, rest_);
    forward_->forward(inner);
    pool_.forward(inner.dst, args.dst, args.workspace, inner.scratchpad, args.device.stream);
  }

  void backward(const BackwardArgs& args) override {
    const Stream stream = args.device.stream;
    const void* diff = args.diff_dst;
    if (activation_ != Activation::kNone) {
      void* masked = at<void>(args.scratchpad, masked_);
      vendor::mask_gradient(kernels_, activation_, pooled_, args.dst, diff, masked, stream);
      diff = masked;
    }
    BackwardArgs inner = args;
    void* diff_unpooled = at<void>(args.scratchpad, unpooled_);
    inner.dst = nullptr;
    inner.diff_dst = diff_unpooled;
    inner.scratchpad = at<void>(args.scratchpad, rest_);
    pool_.backward(diff, args.workspace, diff_unpooled, inner.scratchpad, stream);
    backward_->backward(inner);
  }

  std::string backward_note() const override { return backward_ ? backward_->backward_note() : ""; }

 private:
  static const Conv2d& checked(const Conv2d& conv) {
    if (!conv.pool) throw Refused("no pool behind the convolution");
    return conv;
  }

  static std::unique_ptr<Kernel> make_forward(const Conv2d& conv, const Problem& problem) {
    Problem inference = unpooled_problem(conv, problem);
    inference.training = false;
    return kCudnnConv2d.make(Conv2d(conv.options), inference);
  }

  static std::unique_ptr<Kernel> make_backward(const Conv2d& conv, const Problem& problem) {
    Conv2dOptions linear = conv.options;
    linear.activation = Activation::kNone;
    return kCudnnConv2d.make(Conv2d(linear), unpooled_problem(conv, problem));
  }

  const Activation activation_;
  const vendor::Elements pooled_;  // dst
  const Problem pool_problem_;
  const PoolPlans pool_;  // refuses what is for no GPU before anything else is asked of one
  const KernelTable& kernels_;
  const std::unique_ptr<Kernel> forward_, backward_;
  vendor::Layout scratchpad_;
  std::size_t unpooled_ = 0, masked_ = 0, rest_ = 0;
};

}  // namespace
}  // namespace cudnn

constinit const Implementation kCudnnConv2dThenPool = {"cudnn:then-pool", "vendor",
                                                       vendor::supports_by_making<cudnn::ThenPoolKernel, Conv2d>,
                                                       vendor::make_kernel<cudnn::ThenPoolKernel, Conv2d>};

}  // namespace cudacards
