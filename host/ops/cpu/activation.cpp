#include "kernels/base/activation.h"
#include "host/ops/cpu/elementwise.h"
#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cpu {
namespace {

class ActivationKernel final : public Kernel {
 public:
  ActivationKernel(const ActivationLayer& layer, const Problem& problem)
      : activation_(layer.activation), type_(problem.dst.type), elements_(problem.dst.shape.elements()) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false, .backward_reads_dst = true}; }

  void forward(const ForwardArgs& args) override { activate(activation_, type_, elements_, args.src[0], args.dst); }

  void backward(const BackwardArgs& args) override {
    switch (args.diff_src_mode[0]) {
      case GradMode::kIgnore:
        return;
      case GradMode::kOverwrite:
        return mask_gradient(activation_, type_, elements_, args.dst, args.diff_dst, args.diff_src[0]);
      case GradMode::kAccumulate:
        return add_masked_gradient(activation_, type_, elements_, args.dst, args.diff_dst, args.diff_src[0]);
    }
  }

 private:
  const Activation activation_;
  const DType type_;
  const std::int64_t elements_;
};

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuActivation = {"vectorised", "hand", cpu::supports_one_type,
                                                 cpu::make_kernel<cpu::ActivationKernel, ActivationLayer>};

}  // namespace cudacards
