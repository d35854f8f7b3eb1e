#include "host/ops/reference/elementwise.h"

#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/reference/kernel.h"

namespace cudacards {
namespace reference {
namespace {

template <class S, class D>
class ActivationKernel final : public Kernel {
 public:
  ActivationKernel(const ActivationLayer& op, const Problem& problem)
      : activation_(op.activation), count_(problem.dst.shape.elements()) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false, .backward_reads_dst = true}; }

  void forward(const ForwardArgs& args) override {
    activation_forward(activation_, count_, static_cast<const S*>(args.src[0]), static_cast<D*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    activation_backward(activation_, count_, static_cast<const D*>(args.dst), static_cast<const D*>(args.diff_dst),
                        args.diff_src_mode[0], static_cast<S*>(args.diff_src[0]));
  }

 private:
  Activation activation_;
  std::int64_t count_;
};

template <class S, class D>
class DropoutKernel final : public Kernel {
 public:
  DropoutKernel(const Dropout& op, const Problem& problem)
      : rate_(op.rate), node_(static_cast<std::uint32_t>(problem.node)), count_(problem.dst.shape.elements()) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    run(args.step, static_cast<const S*>(args.src[0]), GradMode::kOverwrite, static_cast<D*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    run(args.step, static_cast<const D*>(args.diff_dst), args.diff_src_mode[0], static_cast<S*>(args.diff_src[0]));
  }

 private:
  template <class From, class To>
  void run(const Step& step, const From* from, GradMode mode, To* to) const {
    if (step.training) {
      dropout({.rate = rate_, .seed = step.seed, .step = step.number, .node = node_}, count_, from, mode, to);
    } else {
      copy(count_, from, mode, to);
    }
  }

  float rate_;
  std::uint32_t node_;
  std::int64_t count_;
};

template <class S, class D>
class AddKernel final : public Kernel {
 public:
  AddKernel(const Add&, const Problem& problem) : count_(problem.dst.shape.elements()) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    add_forward(count_, static_cast<const S*>(args.src[0]), static_cast<const S*>(args.src[1]),
                static_cast<D*>(args.dst));
  }

  // One source after the other: x + x has both gradients in the same memory, the second accumulates.
  void backward(const BackwardArgs& args) override {
    for (std::size_t i = 0; i < 2; ++i) {
      if (args.diff_src_mode[i] == GradMode::kIgnore) continue;
      copy(count_, static_cast<const D*>(args.diff_dst), args.diff_src_mode[i], static_cast<S*>(args.diff_src[i]));
    }
  }

 private:
  std::int64_t count_;
};

}  // namespace
}  // namespace reference

const Implementation kReferenceActivation = reference::implementation<ActivationLayer, reference::ActivationKernel>();
const Implementation kReferenceDropout = reference::implementation<Dropout, reference::DropoutKernel>();
const Implementation kReferenceAdd = reference::implementation<Add, reference::AddKernel>();

}  // namespace cudacards
