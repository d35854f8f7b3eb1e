#pragma once
// Convolutions whose kernels take bias and activation forward, and backward want the gradient in front of the
// activation: that is computed first, into the scratchpad.

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/front_gradient.h"
#include "host/ops/ops.h"

namespace cudacards::cuda {

class ConvolutionKernel : public DeviceKernel {
 public:
  ConvolutionKernel(const Conv2d& conv, const Problem& problem);

  MemoryNeed memory() const final;
  void backward(const BackwardArgs& args) final;

 protected:
  /// Of the calls below, in bytes.
  virtual std::size_t workspace() const { return 0; }
  virtual Status backward_weights(const BackwardArgs& args, const void* diff, void* workspace) = 0;
  virtual Status backward_data(const BackwardArgs& args, const void* diff) = 0;

  template <class Args>
  auto bias(const Args& parameters) const {
    return has_bias_ ? parameters[1] : nullptr;
  }

  const Conv2dProblem conv_;
  const Activation activation_;
  const bool has_bias_;

 private:
  const FrontGradient front_;
};

/// No where a pool is behind the convolution: kernels that have none say so alike.
Verdict supports_without_pool(const Conv2d& conv, const Problem& problem);

}  // namespace cudacards::cuda
