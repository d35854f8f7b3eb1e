#include "host/ops/reference/softmax.h"

#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/reference/kernel.h"

namespace cudacards {
namespace reference {
namespace {

template <class S, class D>
class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(const Softmax&, const Problem& problem)
      : classes_(problem.dst.shape.sizes().back()), rows_(problem.dst.shape.elements() / classes_) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false, .backward_reads_dst = true}; }

  void forward(const ForwardArgs& args) override {
    softmax_forward(rows_, classes_, static_cast<const S*>(args.src[0]), static_cast<D*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    softmax_backward(rows_, classes_, static_cast<const D*>(args.dst), static_cast<const D*>(args.diff_dst),
                     args.diff_src_mode[0], static_cast<S*>(args.diff_src[0]));
  }

 private:
  std::int64_t classes_, rows_;
};

}  // namespace
}  // namespace reference

const Implementation kReferenceSoftmax = reference::implementation<Softmax, reference::SoftmaxKernel>();

}  // namespace cudacards
