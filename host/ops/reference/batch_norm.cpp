#include "host/ops/reference/batch_norm.h"

#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/reference/kernel.h"

namespace cudacards {
namespace reference {
namespace {

enum ParameterIndex : std::size_t { kGamma, kBeta, kMean, kVariance };

template <class S, class D>
class BatchNormKernel final : public Kernel {
 public:
  BatchNormKernel(const BatchNorm& op, const Problem& problem)
      : channels_(problem.dst.shape.sizes().back()),
        rows_(problem.dst.shape.elements() / channels_),
        momentum_(op.momentum),
        epsilon_(op.epsilon),
        activation_(op.activation),
        frozen_(!problem.diff_parameters_wanted) {}

  MemoryNeed memory() const override {
    const std::size_t two_a_channel = 2 * static_cast<std::size_t>(channels_) * sizeof(double);
    return {.workspace = two_a_channel,
            .scratchpad = two_a_channel,
            .backward_reads_dst = activation_ != Activation::kNone};
  }

  void forward(const ForwardArgs& args) override {
    const auto* src = static_cast<const S*>(args.src[0]);
    const ChannelStatistics statistics = statistics_in(args.workspace);
    if (source(args.step) == StatisticsSource::kBatch) {
      auto* variance = static_cast<double*>(args.scratchpad);
      batch_statistics(rows_, channels_, src, epsilon_, statistics, variance);
      average(args.parameters[kMean], statistics.mean);
      average(args.parameters[kVariance], variance);
    } else {
      running_statistics(channels_, args.parameters[kMean], args.parameters[kVariance], epsilon_, statistics);
    }
    batch_norm_forward(rows_, channels_, src, statistics, args.parameters[kGamma], args.parameters[kBeta], activation_,
                       static_cast<D*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    const auto* src = static_cast<const S*>(args.src[0]);
    const auto* dst = static_cast<const D*>(args.dst);
    const auto* diff_dst = static_cast<const D*>(args.diff_dst);
    const ChannelStatistics statistics = statistics_in(args.workspace);
    auto* diff_gamma = static_cast<double*>(args.scratchpad);
    auto* diff_beta = diff_gamma + channels_;
    batch_norm_backward_sums(rows_, channels_, src, dst, diff_dst, statistics, activation_, diff_gamma, diff_beta);
    if (args.diff_src_mode[0] != GradMode::kIgnore) {
      batch_norm_backward_data(rows_, channels_, src, dst, diff_dst, statistics, source(args.step), activation_,
                               args.parameters[kGamma], diff_gamma, diff_beta, args.diff_src_mode[0],
                               static_cast<S*>(args.diff_src[0]));
    }
    if (args.diff_parameters_mode == GradMode::kIgnore) return;
    write(args.diff_parameters_mode, diff_gamma, args.diff_parameters[kGamma]);
    write(args.diff_parameters_mode, diff_beta, args.diff_parameters[kBeta]);
  }

 private:
  StatisticsSource source(const Step& step) const {
    return step.training && !frozen_ ? StatisticsSource::kBatch : StatisticsSource::kRunning;
  }
  ChannelStatistics statistics_in(void* workspace) const {
    return {static_cast<double*>(workspace), static_cast<double*>(workspace) + channels_};
  }
  void average(float* running, const double* batch) const {
    for (std::int64_t c = 0; c < channels_; ++c) {
      running[c] = momentum_ * running[c] + (1.0f - momentum_) * static_cast<float>(batch[c]);
    }
  }
  void write(GradMode mode, const double* sums, float* diff) const {
    if (!diff) return;
    for (std::int64_t c = 0; c < channels_; ++c) put(mode, diff[c], sums[c]);
  }

  std::int64_t channels_, rows_;
  float momentum_, epsilon_;
  Activation activation_;
  bool frozen_;
};

}  // namespace
}  // namespace reference

const Implementation kReferenceBatchNorm = reference::implementation<BatchNorm, reference::BatchNormKernel>();

}  // namespace cudacards
