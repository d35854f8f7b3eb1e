#pragma once
// A convolution's kernel, fed with weights and bias that a batch norm has been folded into. How they are folded is the
// device's: folded_conv2d.cpp for the CPU, cuda/folded_conv2d.cpp for the others.

#include <memory>

#include "host/ops/folded_conv2d.h"

namespace cudacards {

/// What the convolution is fed with, in the kernel's packed memory.
struct FoldedParameters {
  float* weights = nullptr;      // (K,R,S,C/groups)
  float* bias = nullptr;         // (K)
  Bf16* weights_bf16 = nullptr;  // where the convolution multiplies in bf16 on a device
};

class FoldedKernel : public Kernel {
 public:
  FoldedKernel(const FoldedConv2d& op, const Problem& problem, std::unique_ptr<Kernel> inner);

  MemoryNeed memory() const final;
  /// Folds. Where the plan trains, both layers are frozen, so that a step changes neither's parameters.
  void prepare(const ForwardArgs& args) final;
  /// Folds where nobody has called prepare().
  void forward(const ForwardArgs& args) final;
  /// Only of what lies below: neither layer is trainable.
  void backward(const BackwardArgs& args) final;
  bool rounds_to_tf32() const final { return inner_->rounds_to_tf32(); }

 protected:
  /// From args.parameters: the convolution's, then gamma, beta, mean, variance.
  virtual void fold(const ForwardArgs& args, const FoldedParameters& folded) const = 0;

  const std::int64_t filters_, weights_;  // weights_: of all filters
  const bool has_bias_;
  const float epsilon_;

 private:
  FoldedParameters folded_in(void* packed) const;
  std::size_t folded_bytes() const;

  const std::unique_ptr<Kernel> inner_;
  const bool has_bf16_copy_;
  bool is_folded_ = false;
};

namespace folded {

const FoldedConv2d& operation_of(const Operation& operation);

template <const Implementation& Inner>
Verdict supports(const Operation& operation, const Problem& problem) {
  if (problem.diff_parameters_wanted) return Verdict::no("its batch norm is to be trained");
  return Inner.supports(operation_of(operation).whole, problem);
}

template <const Implementation& Inner, class Folding>
std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  const FoldedConv2d& op = operation_of(operation);
  return std::make_unique<Folding>(op, problem, Inner.make(op.whole, problem));
}

/// The convolution's implementation `Inner` as one of the pair; `Folding` is a FoldedKernel.
template <const Implementation& Inner, class Folding>
Implementation wrapped() {
  return {Inner.name, Inner.family, supports<Inner>, make<Inner, Folding>};
}

}  // namespace folded
}  // namespace cudacards
