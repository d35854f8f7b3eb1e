// Convolution and max pool one after the other, for the sizes that the fused pass refuses: oneDNN's convolution over
// the whole batch into memory of the plan, then the vectorised pool.

#include <algorithm>
#include <memory>
#include <span>

#include "host/ops/cpu/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"

namespace cudacards {
namespace onednn {
namespace {

/// The two nodes that the fused one stands for.
struct Unfused {
  Conv2d conv;
  MaxPool2d pool;
  Problem conv_problem, pool_problem;
};

Unfused unfuse(const Conv2d& fused, const Problem& problem) {
  Unfused u{Conv2d(fused.options), MaxPool2d(*fused.pool), problem, problem};
  const Shape src[] = {problem.src[0].shape};
  u.conv_problem.dst = {u.conv.infer_shape(src), problem.dst.type};
  u.pool_problem.src = {u.conv_problem.dst};
  u.pool_problem.diff_src_wanted = {true};
  return u;
}

class Conv2dThenPoolKernel final : public Kernel {
 public:
  Conv2dThenPoolKernel(const Conv2d& fused, const Problem& problem) : Conv2dThenPoolKernel(unfuse(fused, problem)) {}

  MemoryNeed memory() const override {
    return {.workspace = workspace_.bytes(),
            .scratchpad = scratchpad_.bytes(),
            .packed = conv_->memory().packed,
            .backward_reads_src = conv_->memory().backward_reads_src,
            .backward_reads_dst = false};
  }

  void forward(const ForwardArgs& args) override {
    void* between = training_ ? at<void>(args.workspace, between_) : at<void>(args.scratchpad, between_);
    ForwardArgs conv = args;
    conv.dst = between;
    conv.workspace = at<void>(args.workspace, conv_workspace_);
    conv.scratchpad = at<void>(args.scratchpad, shared_);
    conv_->forward(conv);

    const void* src[] = {between};
    ForwardArgs pool = args;
    pool.src = src;
    pool.parameters = {};
    pool.workspace = at<void>(args.workspace, pool_workspace_);
    pool.scratchpad = at<void>(args.scratchpad, shared_);
    pool_->forward(pool);
  }

  void backward(const BackwardArgs& args) override {
    void* diff_between = at<void>(args.scratchpad, diff_between_);
    void* const diff_src[] = {diff_between};
    const GradMode modes[] = {GradMode::kOverwrite};
    BackwardArgs pool = args;
    pool.src = {};
    pool.diff_src = diff_src;
    pool.diff_src_mode = modes;
    pool.parameters = {};
    pool.diff_parameters = {};
    pool.workspace = at<void>(args.workspace, pool_workspace_);
    pool.scratchpad = at<void>(args.scratchpad, shared_);
    pool_->backward(pool);

    BackwardArgs conv = args;
    conv.dst = at<void>(args.workspace, between_);
    conv.diff_dst = diff_between;
    conv.workspace = at<void>(args.workspace, conv_workspace_);
    conv.scratchpad = at<void>(args.scratchpad, shared_);
    conv_->backward(conv);
  }

 private:
  explicit Conv2dThenPoolKernel(const Unfused& u)
      : training_(u.conv_problem.training),
        conv_(kOnednnConv2d.make(u.conv, u.conv_problem)),
        pool_(kCpuMaxPool.make(u.pool, u.pool_problem)) {
    const std::size_t between = u.conv_problem.dst.bytes();
    between_ = training_ ? workspace_.take(between) : scratchpad_.take(between);
    conv_workspace_ = workspace_.take(conv_->memory().workspace);
    pool_workspace_ = workspace_.take(pool_->memory().workspace);
    if (training_) diff_between_ = scratchpad_.take(between);
    shared_ = scratchpad_.take(std::max(conv_->memory().scratchpad, pool_->memory().scratchpad));
  }

  const bool training_;
  std::unique_ptr<Kernel> conv_, pool_;
  Layout workspace_, scratchpad_;
  std::size_t between_ = 0, diff_between_ = 0, conv_workspace_ = 0, pool_workspace_ = 0, shared_ = 0;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  const auto& fused = static_cast<const Conv2d&>(operation);
  if (!fused.pool) return Verdict::no("no max pool behind it");
  const Unfused u = unfuse(fused, problem);
  if (Verdict v = kOnednnConv2d.supports(u.conv, u.conv_problem); !v) return v;
  return kCpuMaxPool.supports(u.pool, u.pool_problem);
}

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnConv2dThenPool = {"onednn:then-pool", "vendor", onednn::supports,
                                                        onednn::make_kernel<onednn::Conv2dThenPoolKernel, Conv2d>};

}  // namespace cudacards
