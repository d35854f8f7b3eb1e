// Max pool with cuDNN's index of the winner (the first of equals in row order, as everywhere in this project), and the
// mean of whole pictures.

#include <algorithm>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/cudnn/context.h"
#include "host/ops/vendor/cudnn/graphs.h"
#include "host/ops/vendor/cudnn/pool.h"
#include "host/ops/vendor/device_steps.h"
#include "host/ops/vendor/making.h"

namespace cudacards {
namespace cudnn {

PoolPlans::PoolPlans(const Pool2dProblem& pool, PoolKind kind, const Problem& problem)
    : pool_(pool), kind_(kind), type_(problem.src[0].type) {
  require_gpu(problem);
  if (type_ == DType::kU8 || type_ != problem.dst.type)
    throw Refused("needs src and dst in fp32 or bf16, both the same");
  const bool is_max = kind == PoolKind::kMax;
  // The index is a signed byte.
  if (is_max && pool.window_h * pool.window_w > 128) throw Refused("cuDNN: windows of more than 128 elements");
  const EngineRules rules = rules_without_products(problem);
  keeps_index_ = is_max && problem.training;
  forward_ =
      plan_for(is_max ? max_pool_forward(pool, type_, keeps_index_) : global_average_forward(pool, type_), rules);
  workspace_bytes_ = forward_->workspace();
  if (!problem.training || !problem.diff_src_wanted[0]) return;
  backward_ = plan_for(is_max ? max_pool_backward(pool, type_) : global_average_backward(pool, type_), rules);
  workspace_bytes_ = std::max(workspace_bytes_, backward_->workspace());
}

std::size_t PoolPlans::index_bytes() const { return keeps_index_ ? static_cast<std::size_t>(pool_.dst_elements()) : 0; }

void PoolPlans::forward(const void* src, void* dst, void* index, void* workspace, Stream stream) const {
  if (keeps_index_) {
    forward_->execute({{Id::kSrc, src}, {Id::kDst, dst}, {Id::kIndex, index}}, workspace, stream);
  } else {
    forward_->execute({{Id::kSrc, src}, {Id::kDst, dst}}, workspace, stream);
  }
}

void PoolPlans::backward(const void* diff_dst, const void* index, void* diff_src, void* workspace,
                         Stream stream) const {
  if (kind_ == PoolKind::kMax) {
    backward_->execute({{Id::kDiffDst, diff_dst}, {Id::kIndex, index}, {Id::kDiffSrc, diff_src}}, workspace, stream);
  } else {
    backward_->execute({{Id::kDiffDst, diff_dst}, {Id::kDiffSrc, diff_src}}, workspace, stream);
  }
}

namespace {

/// A pool as a node of its own.
class PoolKernel : public Kernel {
 public:
  MemoryNeed memory() const override {
    return {.workspace = plans_.index_bytes(), .scratchpad = scratchpad_.bytes(), .backward_reads_src = false};
  }

  void forward(const ForwardArgs& args) override {
    plans_.forward(args.src[0], args.dst, args.workspace, vendor::at<void>(args.scratchpad, workspace_),
                   args.device.stream);
  }

  void backward(const BackwardArgs& args) override {
    const GradMode mode = args.diff_src_mode[0];
    if (mode == GradMode::kIgnore) return;
    const bool accumulates = mode == GradMode::kAccumulate;
    void* diff_src = accumulates ? vendor::at<void>(args.scratchpad, addend_) : args.diff_src[0];
    plans_.backward(args.diff_dst, args.workspace, diff_src, vendor::at<void>(args.scratchpad, workspace_),
                    args.device.stream);
    if (accumulates) {
      vendor::add_into(kernels_, {src_.type, src_.shape.elements()}, diff_src, args.diff_src[0], args.device.stream);
    }
  }

 protected:
  PoolKernel(const Pool2dProblem& pool, PoolKind kind, const Problem& problem)
      : plans_(pool, kind, problem), kernels_(*problem.target.kernels), src_(problem.src[0]) {
    workspace_ = scratchpad_.take(plans_.workspace());
    if (problem.training && problem.diff_src_wanted[0]) addend_ = scratchpad_.take(src_.bytes());
  }

 private:
  const PoolPlans plans_;
  const KernelTable& kernels_;
  const TensorDesc src_;
  vendor::Layout scratchpad_;
  std::size_t workspace_ = 0, addend_ = 0;
};

class MaxPoolKernel final : public PoolKernel {
 public:
  MaxPoolKernel(const MaxPool2d& pool, const Problem& problem)
      : PoolKernel(pool.problem(problem.src[0].shape), PoolKind::kMax, problem) {}
};

class GlobalAveragePoolKernel final : public PoolKernel {
 public:
  GlobalAveragePoolKernel(const GlobalAveragePool2d&, const Problem& problem)
      : PoolKernel(whole_picture(problem.src[0].shape), PoolKind::kGlobalAverage, problem) {}
};

}  // namespace

Pool2dProblem whole_picture(const Shape& src) {
  const int h = static_cast<int>(src[1]), w = static_cast<int>(src[2]);
  return {.n = static_cast<int>(src[0]),
          .h = h,
          .w = w,
          .c = static_cast<int>(src[3]),
          .window_h = h,
          .window_w = w,
          .stride_h = h,
          .stride_w = w};
}

}  // namespace cudnn

constinit const Implementation kCudnnMaxPool = {"cudnn", "vendor",
                                                vendor::supports_by_making<cudnn::MaxPoolKernel, MaxPool2d>,
                                                vendor::make_kernel<cudnn::MaxPoolKernel, MaxPool2d>};
constinit const Implementation kCudnnGlobalAveragePool = {
    "cudnn", "vendor", vendor::supports_by_making<cudnn::GlobalAveragePoolKernel, GlobalAveragePool2d>,
    vendor::make_kernel<cudnn::GlobalAveragePoolKernel, GlobalAveragePool2d>};

}  // namespace cudacards
