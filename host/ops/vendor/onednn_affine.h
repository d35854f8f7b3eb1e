#pragma once
// What convolutions and dense layers share: dst = activation(src (*) weights + bias), with packed copies of the master
// weights, gradients that overwrite or accumulate, and an activation whose gradient is masked before the products.

#include "host/ops/vendor/onednn_common.h"
#include "kernels/base/activation.h"

namespace cudacards::onednn {

class AffineKernel : public Kernel {
 public:
  MemoryNeed memory() const override;
  void forward(const ForwardArgs& args) override;
  void backward(const BackwardArgs& args) override;

 protected:
  AffineKernel(const Problem& problem, std::int64_t weight_elements, Activation activation, bool has_bias,
               std::int64_t channels);

  bool wants_diff_src() const { return wants_diff_src_; }
  bool wants_diff_parameters() const { return wants_diff_parameters_; }
  memory::data_type src_type() const { return type_of(src_.type); }
  memory::data_type dst_type() const { return type_of(dst_.type); }
  /// (channels) fp32, or an empty descriptor without a bias.
  memory::desc bias_desc() const;

  // To be called by the constructor of a derived class with its primitives; `master` is the layout of the fp32
  // parameters.
  template <class PrimitiveDesc>
  void use_forward(const dnnl::primitive& primitive, const PrimitiveDesc& pd, const memory::desc& master) {
    pack_forward_ = Reorder(master, pd.weights_desc());
    forward_ = Call(primitive, pd,
                    {{DNNL_ARG_SRC, pd.src_desc()},
                     {DNNL_ARG_WEIGHTS, pd.weights_desc()},
                     {DNNL_ARG_BIAS, bias_desc()},
                     {DNNL_ARG_DST, pd.dst_desc()}});
  }
  template <class PrimitiveDesc>
  void use_backward_weights(const dnnl::primitive& primitive, const PrimitiveDesc& pd, const memory::desc& master) {
    unpack_diff_weights_ = Reorder(pd.diff_weights_desc(), master);
    diff_weights_bytes_ = unpack_diff_weights_.is_identity() ? 0 : pd.diff_weights_desc().get_size();
    backward_weights_ = Call(primitive, pd,
                             {{DNNL_ARG_SRC, pd.src_desc()},
                              {DNNL_ARG_DIFF_DST, pd.diff_dst_desc()},
                              {DNNL_ARG_DIFF_WEIGHTS, pd.diff_weights_desc()},
                              {DNNL_ARG_DIFF_BIAS, bias_desc()}});
  }
  template <class PrimitiveDesc>
  void use_backward_data(const dnnl::primitive& primitive, const PrimitiveDesc& pd, const memory::desc& master) {
    pack_backward_ = Reorder(master, pd.weights_desc());
    backward_data_ = Call(primitive, pd,
                          {{DNNL_ARG_DIFF_DST, pd.diff_dst_desc()},
                           {DNNL_ARG_WEIGHTS, pd.weights_desc()},
                           {DNNL_ARG_DIFF_SRC, pd.diff_src_desc()}});
  }
  /// After all of the above.
  void lay_out_memory(std::size_t own_packed = 0, std::size_t own_scratch = 0);

  // Products that a derived class takes itself, in memory of its own that lay_out_memory() was told of. Each returns false
  // where it leaves the product to the primitive.
  virtual void pack(const float* weights, void* own_packed) const;
  virtual bool multiply(const ForwardArgs& args, const void* own_packed) const;  // with bias and activation
  virtual bool multiply_diff_weights(const BackwardArgs& args, const void* diff_dst, void* own_scratch) const;
  virtual bool multiply_diff_src(const BackwardArgs& args, const void* diff_dst, const void* own_packed) const;

 private:
  const void* diff_before_activation(const BackwardArgs& args);
  void backward_weights(const BackwardArgs& args, const void* diff_dst);
  void backward_data(const BackwardArgs& args, const void* diff_dst);

  const TensorDesc src_, dst_;
  const std::int64_t weight_elements_, channels_;
  const Activation activation_;
  const bool has_bias_, wants_diff_src_, wants_diff_parameters_;
  std::size_t diff_weights_bytes_ = 0;

  Call forward_, backward_weights_, backward_data_;
  Reorder pack_forward_, pack_backward_, unpack_diff_weights_, narrow_diff_dst_;
  bool packed_once_ = false, backward_stale_ = true;

  Layout packed_, scratchpad_;
  std::size_t packed_forward_ = 0, packed_backward_ = 0, own_packed_ = 0, own_scratch_ = 0;
  std::size_t primitive_scratch_ = 0, masked_ = 0, narrowed_ = 0, diff_weights_ = 0, diff_weights_addend_ = 0,
              diff_bias_addend_ = 0, diff_src_addend_ = 0;
};

}  // namespace cudacards::onednn
