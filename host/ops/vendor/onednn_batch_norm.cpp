// Batch normalisation by oneDNN, with batch statistics or with the running ones. The running statistics are averaged
// here, in Keras' convention and with the biased variance that oneDNN gives; the activation is a pass of its own,
// because oneDNN's turns a NaN into 0.

#include <algorithm>

#include "host/ops/cpu/elementwise.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"

namespace cudacards {
namespace onednn {
namespace {

enum ParameterIndex : std::size_t { kGamma, kBeta, kMean, kVariance };

/// Whose mean and variance normalise.
enum class Statistics : std::uint8_t { kBatch, kRunning };

struct Passes {
  Call forward, backward;
};

class BatchNormKernel final : public Kernel {
 public:
  BatchNormKernel(const BatchNorm& norm, const Problem& problem)
      : src_(problem.src[0]),
        channels_(src_.shape.sizes().back()),
        momentum_(norm.momentum),
        activation_(norm.activation),
        training_(problem.training),
        frozen_(!problem.diff_parameters_wanted),
        wants_diff_src_(training_ && problem.diff_src_wanted[0]) {
    if (src_.type == DType::kU8 || src_.type != problem.dst.type) throw Refused("needs src and dst in fp32 or bf16");
    running_ = make_passes(Statistics::kRunning, norm.epsilon);
    if (training_ && !frozen_) batch_ = make_passes(Statistics::kBatch, norm.epsilon);
    lay_out_memory();
  }

  MemoryNeed memory() const override {
    return {.workspace = training_ ? 2 * channel_bytes() : 0,
            .scratchpad = scratchpad_.bytes(),
            .backward_reads_src = training_,
            .backward_reads_dst = training_ && activation_ != Activation::kNone};
  }

  void forward(const ForwardArgs& args) override {
    const bool of_batch = statistics(args.step) == Statistics::kBatch;
    auto* mean = of_batch ? static_cast<float*>(args.workspace) : args.parameters[kMean];
    auto* variance = of_batch ? at<float>(args.workspace, channel_bytes()) : args.parameters[kVariance];
    passes(args.step).forward.run({{DNNL_ARG_SRC, args.src[0]},
                                   {DNNL_ARG_MEAN, mean},
                                   {DNNL_ARG_VARIANCE, variance},
                                   {DNNL_ARG_SCALE, args.parameters[kGamma]},
                                   {DNNL_ARG_SHIFT, args.parameters[kBeta]},
                                   {DNNL_ARG_DST, args.dst}},
                                  at<void>(args.scratchpad, primitive_scratch_));
    if (of_batch) {
      average(mean, args.parameters[kMean]);
      average(variance, args.parameters[kVariance]);
    }
    if (activation_ != Activation::kNone)
      cpu::activate(activation_, src_.type, src_.shape.elements(), args.dst, args.dst);
  }

  void backward(const BackwardArgs& args) override {
    const void* diff_dst = args.diff_dst;
    if (activation_ != Activation::kNone) {
      cpu::mask_gradient(activation_, src_.type, src_.shape.elements(), args.dst, diff_dst,
                         at<void>(args.scratchpad, masked_));
      diff_dst = at<void>(args.scratchpad, masked_);
    }
    const bool of_batch = statistics(args.step) == Statistics::kBatch;
    // oneDNN computes both gradients at once: what is not wanted, or has to be added, goes to the scratchpad.
    const GradMode src_mode = wants_diff_src_ ? args.diff_src_mode[0] : GradMode::kIgnore;
    void* diff_src = src_mode == GradMode::kOverwrite ? args.diff_src[0] : at<void>(args.scratchpad, diff_src_);
    auto* diff_gamma = at<float>(args.scratchpad, diff_gamma_);
    auto* diff_beta = at<float>(args.scratchpad, diff_beta_);
    passes(args.step).backward.run(
        {{DNNL_ARG_SRC, args.src[0]},
         {DNNL_ARG_MEAN, of_batch ? static_cast<const float*>(args.workspace) : args.parameters[kMean]},
         {DNNL_ARG_VARIANCE, of_batch ? at<const float>(args.workspace, channel_bytes()) : args.parameters[kVariance]},
         {DNNL_ARG_DIFF_DST, diff_dst},
         {DNNL_ARG_SCALE, args.parameters[kGamma]},
         {DNNL_ARG_SHIFT, args.parameters[kBeta]},
         {DNNL_ARG_DIFF_SRC, diff_src},
         {DNNL_ARG_DIFF_SCALE, diff_gamma},
         {DNNL_ARG_DIFF_SHIFT, diff_beta}},
        at<void>(args.scratchpad, primitive_scratch_));
    if (src_mode == GradMode::kAccumulate) cpu::add_into(src_.type, src_.shape.elements(), diff_src, args.diff_src[0]);
    if (frozen_ || args.diff_parameters_mode == GradMode::kIgnore) return;
    put(args.diff_parameters_mode, diff_gamma, args.diff_parameters[kGamma]);
    put(args.diff_parameters_mode, diff_beta, args.diff_parameters[kBeta]);
  }

 private:
  std::size_t channel_bytes() const { return align_up(static_cast<std::size_t>(channels_) * sizeof(float)); }
  Statistics statistics(const Step& step) const {
    return step.training && training_ && !frozen_ ? Statistics::kBatch : Statistics::kRunning;
  }
  Passes& passes(const Step& step) { return statistics(step) == Statistics::kBatch ? batch_ : running_; }

  Passes make_passes(Statistics statistics, float epsilon) const {
    // Any other rank is a picture of one pixel: the statistics are over all but the channels in any case.
    const bool picture = src_.shape.rank() == 4;
    const memory::desc data =
        picture ? nhwc_desc(src_.shape[0], src_.shape[1], src_.shape[2], channels_, type_of(src_.type))
                : nhwc_desc(src_.shape.elements() / channels_, 1, 1, channels_, type_of(src_.type));
    const memory::desc channel = dense_desc({channels_}, memory::data_type::f32);
    auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
    if (statistics == Statistics::kRunning) flags = flags | dnnl::normalization_flags::use_global_stats;
    const auto kind = training_ ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    Passes made;
#if DNNL_VERSION_MAJOR >= 3
    const auto forward = describe<dnnl::batch_normalization_forward>(plan_memory(), kind, data, data, epsilon, flags);
#else
    const auto forward = describe<dnnl::batch_normalization_forward>(plan_memory(), kind, data, epsilon, flags);
#endif
    made.forward = Call(dnnl::batch_normalization_forward(forward), forward,
                        {{DNNL_ARG_SRC, data},
                         {DNNL_ARG_MEAN, channel},
                         {DNNL_ARG_VARIANCE, channel},
                         {DNNL_ARG_SCALE, channel},
                         {DNNL_ARG_SHIFT, channel},
                         {DNNL_ARG_DST, data}});
    if (!training_) return made;
    constexpr auto kBackward = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
    const auto backward = describe_backward<dnnl::batch_normalization_backward>(plan_memory(), forward, kBackward, data,
                                                                                data, data, epsilon, flags);
#else
    const auto backward = describe_backward<dnnl::batch_normalization_backward>(plan_memory(), forward, kBackward, data,
                                                                                data, epsilon, flags);
#endif
    made.backward = Call(dnnl::batch_normalization_backward(backward), backward,
                         {{DNNL_ARG_SRC, data},
                          {DNNL_ARG_MEAN, channel},
                          {DNNL_ARG_VARIANCE, channel},
                          {DNNL_ARG_DIFF_DST, data},
                          {DNNL_ARG_SCALE, channel},
                          {DNNL_ARG_SHIFT, channel},
                          {DNNL_ARG_DIFF_SRC, data},
                          {DNNL_ARG_DIFF_SCALE, channel},
                          {DNNL_ARG_DIFF_SHIFT, channel}});
    return made;
  }

  void lay_out_memory() {
    primitive_scratch_ =
        scratchpad_.take(std::max({running_.forward.scratchpad_bytes(), running_.backward.scratchpad_bytes(),
                                   batch_.forward.scratchpad_bytes(), batch_.backward.scratchpad_bytes()}));
    if (!training_) return;
    masked_ = scratchpad_.take(activation_ == Activation::kNone ? 0 : src_.bytes());
    diff_src_ = scratchpad_.take(src_.bytes());
    diff_gamma_ = scratchpad_.take(channel_bytes());
    diff_beta_ = scratchpad_.take(channel_bytes());
  }

  void average(const float* batch, float* running) const {
    for (std::int64_t c = 0; c < channels_; ++c) running[c] = momentum_ * running[c] + (1.0f - momentum_) * batch[c];
  }

  void put(GradMode mode, const float* sums, float* diff) const {
    if (!diff) return;
    for (std::int64_t c = 0; c < channels_; ++c) diff[c] = mode == GradMode::kAccumulate ? diff[c] + sums[c] : sums[c];
  }

  const TensorDesc src_;
  const std::int64_t channels_;
  const float momentum_;
  const Activation activation_;
  const bool training_, frozen_, wants_diff_src_;
  Passes batch_, running_;
  Layout scratchpad_;
  std::size_t primitive_scratch_ = 0, masked_ = 0, diff_src_ = 0, diff_gamma_ = 0, diff_beta_ = 0;
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnBatchNorm = {"onednn", "vendor",
                                                   onednn::supports_by_making<onednn::BatchNormKernel, BatchNorm>,
                                                   onednn::make_kernel<onednn::BatchNormKernel, BatchNorm>};

}  // namespace cudacards
