// Convolution by cuDNN's engines: bias and ReLU in the forward graph, both gradients, and the bias' gradient as a sum
// over pixels.
//
// Gradients of parameters are fp32 in every precision. Few engines write fp32 from bf16 tensors; where there is none,
// both tensors are widened first: bf16 numbers are tf32 numbers, so that tensor cores multiply them exactly.

#include <algorithm>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/cudnn/context.h"
#include "host/ops/vendor/cudnn/conv2d.h"
#include "host/ops/vendor/cudnn/graphs.h"

namespace cudacards {
namespace cudnn {

bool keeps_tensor_cores(const Engine& fused, const Engine& plain) {
  return has_note(fused, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) || !has_note(plain, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
}

std::string widened_note(bool has_tensor_cores) {
  return std::string("weights' gradient from bf16 widened to fp32 first, multiplied ") +
         (has_tensor_cores ? "as tf32" : "in fp32 without tensor cores");
}

namespace {

using PlanPointer = std::shared_ptr<const Plan>;

class Conv2dKernel final : public vendor::DeviceAffineKernel {
 public:
  Conv2dKernel(const Conv2d& conv, const Problem& problem)
      : DeviceAffineKernel(checked(conv, problem), sizes_of(conv, problem), conv.options.activation, conv.options.bias),
        conv_(conv.problem(problem.src[0].shape)) {
    const DType type = src_.type;
    const EngineRules rules = rules_for(problem, type);
    make_forward(rules);
    std::size_t workspace = forward_->workspace();
    if (wants_diff_parameters()) workspace = std::max(workspace, make_backward_weights(problem, rules));
    if (wants_diff_src()) {
      backward_data_ = plan_for(convolution_backward_data(conv_, type), rules);
      workspace = std::max(workspace, backward_data_->workspace());
    }
    plan_memory(workspace);
  }

 private:
  static const Problem& checked(const Conv2d& conv, const Problem& problem) {
    require_gpu(problem);
    if (conv.pool) throw Refused("a pool behind the convolution");
    if (problem.src[0].type != problem.dst.type) throw Refused("src and dst have different types");
    return problem;
  }
  static Sizes sizes_of(const Conv2d& conv, const Problem& problem) {
    return {.weights = conv.problem(problem.src[0].shape).weight_elements(), .channels = conv.options.filters};
  }

  /// With the activation in the graph where an engine takes it and is as fast as without.
  void make_forward(const EngineRules& rules) {
    forward_ = plan_for(convolution_forward(conv_, src_.type, has_bias_, Activation::kNone), rules);
    if (activation_ == Activation::kNone) return;
    const PlanPointer fused = plan_or_null(convolution_forward(conv_, src_.type, has_bias_, activation_), rules);
    activates_ = fused && keeps_tensor_cores(fused->engine(), forward_->engine());
    if (activates_) forward_ = fused;
  }

  /// The bytes that it needs.
  std::size_t make_backward_weights(const Problem& problem, const EngineRules& rules) {
    const DType type = src_.type;
    std::size_t widened = 0;
    backward_weights_ = plan_or_null(convolution_backward_weights(conv_, type), rules);
    if (!backward_weights_) {
      if (type == DType::kF32) (void)plan_for(convolution_backward_weights(conv_, type), rules);  // throws its reason
      EngineRules exact_on_bf16 = rules;
      exact_on_bf16.has_fp32_factors = true;
      exact_on_bf16.factors = Factors::kTf32;
      backward_weights_ = plan_for(convolution_backward_weights(conv_, DType::kF32), exact_on_bf16);
      widened_src_ = backward_scratch_.take(static_cast<std::size_t>(conv_.src_elements()) * sizeof(float));
      widened_diff_ = backward_scratch_.take(static_cast<std::size_t>(conv_.dst_elements()) * sizeof(float));
      widened = backward_scratch_.bytes();
      widens_ = true;
    }
    std::size_t workspace = backward_weights_->workspace();
    if (has_bias_) {
      bias_gradient_ = plan_for(bias_gradient(conv_, type), rules_without_products(problem));
      workspace = std::max(workspace, bias_gradient_->workspace());
    }
    return widened + workspace;
  }

  bool forward_products(const ForwardArgs& args, void* workspace) override {
    const Stream stream = args.device.stream;
    const void* weights = parameter(args, 0);
    if (has_bias_) {
      forward_->execute(
          {{Id::kSrc, args.src[0]}, {Id::kWeights, weights}, {Id::kBias, parameter(args, 1)}, {Id::kDst, args.dst}},
          workspace, stream);
    } else {
      forward_->execute({{Id::kSrc, args.src[0]}, {Id::kWeights, weights}, {Id::kDst, args.dst}}, workspace, stream);
    }
    return activates_;
  }

  void backward_weights(const BackwardArgs& args, const void* diff, float* diff_weights, float* diff_bias,
                        void* workspace) override {
    const Stream stream = args.device.stream;
    const void* src = args.src[0];
    const void* factor = diff;
    void* rest = vendor::at<void>(workspace, backward_scratch_.bytes());
    if (widens_) {
      void* wide_src = vendor::at<void>(workspace, widened_src_);
      void* wide_diff = vendor::at<void>(workspace, widened_diff_);
      cast(src_.type, DType::kF32, conv_.src_elements(), src, wide_src, stream);
      cast(src_.type, DType::kF32, conv_.dst_elements(), diff, wide_diff, stream);
      src = wide_src;
      factor = wide_diff;
    }
    backward_weights_->execute({{Id::kSrc, src}, {Id::kWeights, diff_weights}, {Id::kDiffDst, factor}}, rest, stream);
    if (diff_bias != nullptr) bias_gradient_->execute({{Id::kDiffDst, diff}, {Id::kSum, diff_bias}}, rest, stream);
  }

  void backward_data(const BackwardArgs& args, const void* diff, void* diff_src, void* workspace) override {
    backward_data_->execute({{Id::kDiffDst, diff}, {Id::kWeights, parameter(args, 0)}, {Id::kDiffSrc, diff_src}},
                            workspace, args.device.stream);
  }

  std::string backward_note() const override {
    return widens_ ? widened_note(has_note(backward_weights_->engine(), CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) : "";
  }

  const Conv2dProblem conv_;
  PlanPointer forward_, backward_weights_, bias_gradient_, backward_data_;
  bool activates_ = false;  // the forward graph does
  bool widens_ = false;     // before the gradient of the weights
  vendor::Layout backward_scratch_;
  std::size_t widened_src_ = 0, widened_diff_ = 0;
};

}  // namespace
}  // namespace cudnn

constinit const Implementation kCudnnConv2d = {"cudnn", "vendor",
                                               vendor::supports_by_making<cudnn::Conv2dKernel, Conv2d>,
                                               vendor::make_kernel<cudnn::Conv2dKernel, Conv2d>};

}  // namespace cudacards
