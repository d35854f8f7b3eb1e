#include "host/ops/reference/pool.h"

#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/reference/kernel.h"

namespace cudacards {
namespace reference {
namespace {

template <class S, class D>
class MaxPoolKernel final : public Kernel {
 public:
  MaxPoolKernel(const MaxPool2d& op, const Problem& problem)
      : problem_(op.problem(problem.src[0].shape)), training_(problem.training) {}

  MemoryNeed memory() const override {
    const auto argmax = static_cast<std::size_t>(problem_.dst_elements()) * sizeof(std::int32_t);
    return {.workspace = training_ ? argmax : 0, .backward_reads_src = false};
  }

  void forward(const ForwardArgs& args) override {
    max_pool_forward(problem_, static_cast<const S*>(args.src[0]), static_cast<D*>(args.dst),
                     training_ ? static_cast<std::int32_t*>(args.workspace) : nullptr);
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    max_pool_backward(problem_, static_cast<const D*>(args.diff_dst), static_cast<const std::int32_t*>(args.workspace),
                      args.diff_src_mode[0], static_cast<S*>(args.diff_src[0]));
  }

 private:
  Pool2dProblem problem_;
  bool training_;
};

template <class S, class D>
class GlobalAveragePoolKernel final : public Kernel {
 public:
  GlobalAveragePoolKernel(const GlobalAveragePool2d&, const Problem& problem)
      : n_(problem.src[0].shape[0]),
        pixels_(problem.src[0].shape[1] * problem.src[0].shape[2]),
        c_(problem.src[0].shape[3]) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    global_average_pool_forward(n_, pixels_, c_, static_cast<const S*>(args.src[0]), static_cast<D*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    global_average_pool_backward(n_, pixels_, c_, static_cast<const D*>(args.diff_dst), args.diff_src_mode[0],
                                 static_cast<S*>(args.diff_src[0]));
  }

 private:
  std::int64_t n_, pixels_, c_;
};

}  // namespace
}  // namespace reference

const Implementation kReferenceMaxPool = reference::implementation<MaxPool2d, reference::MaxPoolKernel>();
const Implementation kReferenceGlobalAveragePool =
    reference::implementation<GlobalAveragePool2d, reference::GlobalAveragePoolKernel>();

}  // namespace cudacards
