// Batch norm by cuDNN: its engine for training, and arithmetic element by element where the running statistics
// normalise.
//
// cuDNN's running average is of the unbiased variance (n / (n - 1) times the batch's), Keras' and this project's of the
// biased one, and its factor is 1 - momentum: it is asked for the batch's mean and rstd only, and a kernel of this
// project moves the averages. The engine for training takes channels in vectors of 16 bytes; what it cannot do it
// refuses itself.

#include <algorithm>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/cudnn/context.h"
#include "host/ops/vendor/cudnn/norm_graphs.h"
#include "host/ops/vendor/device_steps.h"
#include "host/ops/vendor/making.h"
#include "host/runtime/device.h"

namespace cudacards {
namespace cudnn {
namespace {

using vendor::at;
using vendor::Elements;
using PlanPointer = std::shared_ptr<const Plan>;

enum ParameterIndex : std::size_t { kGamma, kBeta, kMean, kVariance };

/// A graph that ends with the activation, or without where no engine takes it there.
struct ActivatedPlan {
  PlanPointer plan;
  bool activates = false;
};

class BatchNormKernel final : public Kernel {
 public:
  BatchNormKernel(const BatchNorm& norm, const Problem& problem)
      : norm_(checked(norm, problem)),
        all_{problem.src[0].type, problem.src[0].shape.elements()},
        kernels_(*problem.target.kernels),
        training_(problem.training),
        frozen_(!problem.diff_parameters_wanted),
        wants_diff_src_(training_ && problem.diff_src_wanted[0]) {
    make_plans(problem);
    lay_out_memory();
  }

  MemoryNeed memory() const override {
    const bool needs_dst = norm_.activation != Activation::kNone && (wants_diff_src_ || uses_batch());
    return {.workspace = uses_batch() ? 2 * channel_bytes() : 0,
            .scratchpad = scratchpad_.bytes(),
            .backward_reads_src = uses_batch(),
            .backward_reads_dst = training_ && needs_dst};
  }

  void forward(const ForwardArgs& args) override {
    const bool of_batch = uses_batch() && args.step.training;
    const ActivatedPlan& pass = of_batch ? batch_ : running_;
    void* workspace = at<void>(args.scratchpad, workspace_);
    const Stream stream = args.device.stream;
    if (of_batch) {
      pass.plan->execute({{Id::kSrc, args.src[0]},
                          {Id::kGamma, args.parameters[kGamma]},
                          {Id::kBeta, args.parameters[kBeta]},
                          {Id::kEpsilon, &norm_.epsilon},
                          {Id::kMean, mean(args.workspace)},
                          {Id::kRstd, rstd(args.workspace)},
                          {Id::kDst, args.dst}},
                         workspace, stream);
      require(kernels_.batch_norm_average(norm_,
                                          {.mean = mean(args.workspace),
                                           .rstd = rstd(args.workspace),
                                           .running_mean = args.parameters[kMean],
                                           .running_variance = args.parameters[kVariance]},
                                          stream),
              "batch norm, running statistics");
    } else {
      pass.plan->execute({{Id::kSrc, args.src[0]},
                          {Id::kGamma, args.parameters[kGamma]},
                          {Id::kBeta, args.parameters[kBeta]},
                          {Id::kEpsilon, &norm_.epsilon},
                          {Id::kMean, args.parameters[kMean]},
                          {Id::kVariance, args.parameters[kVariance]},
                          {Id::kDst, args.dst}},
                         workspace, stream);
    }
    if (!pass.activates) vendor::activate(kernels_, norm_.activation, all_, args.dst, stream);
  }

  void backward(const BackwardArgs& args) override {
    const GradMode src_mode = wants_diff_src_ ? args.diff_src_mode[0] : GradMode::kIgnore;
    if (src_mode == GradMode::kIgnore && !uses_batch()) return;
    const Stream stream = args.device.stream;
    const void* diff = args.diff_dst;
    if (norm_.activation != Activation::kNone) {
      void* masked = at<void>(args.scratchpad, masked_);
      vendor::mask_gradient(kernels_, norm_.activation, all_, args.dst, diff, masked, stream);
      diff = masked;
    }
    // All three gradients come at once: what is not wanted, or has to be added, goes to the scratchpad.
    void* diff_src = src_mode == GradMode::kOverwrite ? args.diff_src[0] : at<void>(args.scratchpad, diff_src_);
    uses_batch() ? backward_of_batch(args, diff, diff_src) : backward_of_running(args, diff, diff_src);
    if (src_mode == GradMode::kAccumulate) vendor::add_into(kernels_, all_, diff_src, args.diff_src[0], stream);
  }

 private:
  static BatchNormProblem checked(const BatchNorm& norm, const Problem& problem) {
    require_gpu(problem);
    const auto& [shape, type] = problem.src[0];
    if (type != problem.dst.type) throw Refused("src and dst have different types");
    const std::int64_t channels = shape[shape.rank() - 1];
    const BatchNormProblem p = {.rows = shape.elements() / channels,
                                .channels = static_cast<int>(channels),
                                .epsilon = norm.epsilon,
                                .momentum = norm.momentum,
                                .activation = norm.activation};
    if (const Verdict verdict = problem.target.kernels->batch_norm_supports(p, type); !verdict)
      throw Refused(verdict.reason());
    return p;
  }

  /// A frozen layer is normalised by its running statistics in training too, and any layer in evaluation.
  bool uses_batch() const { return training_ && !frozen_; }

  ActivatedPlan activated(Graph (*graph)(const Sizes&, DType, Activation), const Sizes& src, const EngineRules& rules) {
    if (norm_.activation != Activation::kNone) {
      if (PlanPointer fused = plan_or_null(graph(src, all_.type, norm_.activation), rules)) return {fused, true};
    }
    return {plan_for(graph(src, all_.type, Activation::kNone), rules), norm_.activation == Activation::kNone};
  }

  void make_plans(const Problem& problem) {
    const EngineRules rules = rules_without_products(problem);
    const Sizes src = norm_sizes(problem.src[0].shape);
    running_ = activated(norm_inference, src, rules);
    if (uses_batch()) {
      try {
        batch_ = activated(norm_training, src, rules);
        backward_ = plan_for(norm_backward(src, all_.type), rules);
      } catch (const Refused& refused) {
        const std::string channels = channels_reason(src, all_.type);
        if (channels.empty()) throw;
        throw Refused(refused.what() + (": " + channels));
      }
    } else if (wants_diff_src_) {
      backward_ = plan_for(norm_inference_backward(src, all_.type), rules);
    }
  }

  void lay_out_memory() {
    const std::size_t bytes = static_cast<std::size_t>(all_.count) * size_of(all_.type);
    std::size_t workspace = running_.plan->workspace();
    for (const PlanPointer& plan : {batch_.plan, backward_})
      workspace = std::max(workspace, plan ? plan->workspace() : 0);
    workspace_ = scratchpad_.take(workspace);
    if (!backward_) return;
    masked_ = scratchpad_.take(norm_.activation == Activation::kNone ? 0 : bytes);
    diff_src_ = scratchpad_.take(bytes);
    if (!uses_batch()) return;
    diff_gamma_ = scratchpad_.take(channel_bytes());
    diff_beta_ = scratchpad_.take(channel_bytes());
  }

  void backward_of_batch(const BackwardArgs& args, const void* diff, void* diff_src) const {
    const Stream stream = args.device.stream;
    const bool overwrites = args.diff_parameters_mode == GradMode::kOverwrite;
    float* diff_gamma = overwrites ? args.diff_parameters[kGamma] : at<float>(args.scratchpad, diff_gamma_);
    float* diff_beta = overwrites ? args.diff_parameters[kBeta] : at<float>(args.scratchpad, diff_beta_);
    backward_->execute({{Id::kSrc, args.src[0]},
                        {Id::kDiffDst, diff},
                        {Id::kGamma, args.parameters[kGamma]},
                        {Id::kMean, mean(args.workspace)},
                        {Id::kRstd, rstd(args.workspace)},
                        {Id::kDiffSrc, diff_src},
                        {Id::kDiffGamma, diff_gamma},
                        {Id::kDiffBeta, diff_beta}},
                       at<void>(args.scratchpad, workspace_), stream);
    if (args.diff_parameters_mode != GradMode::kAccumulate) return;
    vendor::add_into(kernels_, {DType::kF32, norm_.channels}, diff_gamma, args.diff_parameters[kGamma], stream);
    vendor::add_into(kernels_, {DType::kF32, norm_.channels}, diff_beta, args.diff_parameters[kBeta], stream);
  }

  void backward_of_running(const BackwardArgs& args, const void* diff, void* diff_src) const {
    backward_->execute({{Id::kDiffDst, diff},
                        {Id::kGamma, args.parameters[kGamma]},
                        {Id::kVariance, args.parameters[kVariance]},
                        {Id::kEpsilon, &norm_.epsilon},
                        {Id::kDiffSrc, diff_src}},
                       at<void>(args.scratchpad, workspace_), args.device.stream);
  }

  // Of the batch, kept for backward.
  std::size_t channel_bytes() const { return align_up(static_cast<std::size_t>(norm_.channels) * sizeof(float)); }
  float* mean(void* workspace) const { return static_cast<float*>(workspace); }
  float* rstd(void* workspace) const { return at<float>(workspace, channel_bytes()); }

  const BatchNormProblem norm_;
  const Elements all_;  // of src and of dst
  const KernelTable& kernels_;
  const bool training_, frozen_, wants_diff_src_;
  ActivatedPlan running_, batch_;
  PlanPointer backward_;
  vendor::Layout scratchpad_;
  std::size_t workspace_ = 0, masked_ = 0, diff_src_ = 0, diff_gamma_ = 0, diff_beta_ = 0;
};

}  // namespace
}  // namespace cudnn

constinit const Implementation kCudnnBatchNorm = {"cudnn", "vendor",
                                                  vendor::supports_by_making<cudnn::BatchNormKernel, BatchNorm>,
                                                  vendor::make_kernel<cudnn::BatchNormKernel, BatchNorm>};

}  // namespace cudacards
