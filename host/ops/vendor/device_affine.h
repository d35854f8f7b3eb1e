#pragma once
// What convolutions and dense layers share on a GPU, whichever library computes the products: dst = activation(src (*)
// weights + bias), fp32 gradients of parameters, gradients that overwrite or accumulate, and an activation whose
// gradient is masked before the products.

#include "host/ops/cuda/front_gradient.h"
#include "host/ops/vendor/making.h"
#include "host/runtime/device.h"
#include "kernels/base/activation.h"
#include "kernels/table.h"

namespace cudacards::vendor {

/// All pointers are device memory, `workspace` is workspace_bytes() of scratch memory.
class DeviceAffineKernel : public Kernel {
 public:
  MemoryNeed memory() const final;
  void forward(const ForwardArgs& args) final;
  void backward(const BackwardArgs& args) final;
  bool rounds_to_tf32() const final { return tf32_; }

 protected:
  struct Sizes {
    std::int64_t weights = 0;   // elements
    std::int64_t channels = 0;  // of dst, and of the bias
  };
  /// Throws Refused where src and dst are of types that no library multiplies.
  DeviceAffineKernel(const Problem& problem, const Sizes& sizes, Activation activation, bool has_bias);

  // What a derived class does with its library. Every result is overwritten.
  /// Returns true where the activation is in dst too.
  virtual bool forward_products(const ForwardArgs& args, void* workspace) = 0;
  /// diff: of src's type, in front of the activation. diff_bias is null where there is none.
  virtual void backward_weights(const BackwardArgs& args, const void* diff, float* diff_weights, float* diff_bias,
                                void* workspace) = 0;
  virtual void backward_data(const BackwardArgs& args, const void* diff, void* diff_src, void* workspace) = 0;

  /// To be called once by the constructor of the derived class: the most that its calls need.
  void plan_memory(std::size_t workspace_bytes);

  bool wants_diff_src() const { return wants_diff_src_; }
  bool wants_diff_parameters() const { return wants_diff_parameters_; }
  /// Parameter `index` of the type in which src is stored.
  template <class Args>
  const void* parameter(const Args& args, std::size_t index) const {
    return src_.type == DType::kBf16 ? static_cast<const void*>(args.parameters_bf16[index]) : args.parameters[index];
  }
  void cast(DType from, DType to, std::int64_t elements, const void* src, void* dst, Stream stream) const;

  const TensorDesc src_, dst_;
  const Activation activation_;
  const bool has_bias_;

 private:
  const KernelTable& kernels_;
  const Sizes sizes_;
  const bool wants_diff_src_, wants_diff_parameters_, tf32_;
  const cuda::FrontGradient front_;
  Layout scratchpad_;
  std::size_t front_at_ = 0, addend_ = 0, bias_addend_ = 0, workspace_ = 0;
};

}  // namespace cudacards::vendor
