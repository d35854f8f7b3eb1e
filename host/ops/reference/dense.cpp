#include "host/ops/reference/dense.h"

#include "host/ops/ops.h"
#include "host/ops/reference/elementwise.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/reference/kernel.h"

namespace cudacards {
namespace reference {
namespace {

template <class S, class D>
class DenseKernel final : public Kernel {
 public:
  DenseKernel(const Dense& op, const Problem& problem)
      : problem_{problem.dst.shape[0], problem.src[0].shape[1], op.units},
        activation_(op.activation),
        has_bias_(op.bias),
        training_(problem.training) {}

  MemoryNeed memory() const override {
    if (activation_ == Activation::kNone || !training_) return {};
    return {.scratchpad = static_cast<std::size_t>(problem_.n * problem_.units) * sizeof(D),
            .backward_reads_dst = true};
  }

  void forward(const ForwardArgs& args) override {
    dense_forward(problem_, static_cast<const S*>(args.src[0]), args.parameters[0],
                  has_bias_ ? args.parameters[1] : nullptr, activation_, static_cast<D*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    const auto* diff = static_cast<const D*>(args.diff_dst);
    if (activation_ != Activation::kNone) {
      auto* before_activation = static_cast<D*>(args.scratchpad);
      activation_backward(activation_, problem_.n * problem_.units, static_cast<const D*>(args.dst), diff,
                          GradMode::kOverwrite, before_activation);
      diff = before_activation;
    }
    if (args.diff_src_mode[0] != GradMode::kIgnore) {
      dense_backward_data(problem_, diff, args.parameters[0], args.diff_src_mode[0], static_cast<S*>(args.diff_src[0]));
    }
    if (args.diff_parameters_mode == GradMode::kIgnore) return;
    if (float* diff_weights = args.diff_parameters[0]) {
      dense_backward_weights(problem_, static_cast<const S*>(args.src[0]), diff, args.diff_parameters_mode,
                             diff_weights);
    }
    if (has_bias_ && args.diff_parameters[1]) {
      bias_backward(problem_.n, problem_.units, diff, args.diff_parameters_mode, args.diff_parameters[1]);
    }
  }

 private:
  DenseProblem problem_;
  Activation activation_;
  bool has_bias_;
  bool training_;
};

}  // namespace
}  // namespace reference

const Implementation kReferenceDense = reference::implementation<Dense, reference::DenseKernel>();

}  // namespace cudacards
