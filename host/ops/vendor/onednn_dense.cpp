// Fully connected layer by oneDNN's inner product. In fp32 the master weights (out,in) are read in place; bf16 packs a copy.

#include <algorithm>
#include <string>

#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"
#include "host/ops/vendor/onednn_elementwise.h"

namespace cudacards {
namespace onednn {
namespace {

class DenseKernel final : public Kernel {
 public:
  DenseKernel(const Dense& dense, const Problem& problem)
      : activation_(dense.activation),
        has_bias_(dense.bias),
        src_type_(problem.src[0].type),
        dst_type_(problem.dst.type),
        n_(problem.src[0].shape[0]),
        in_(problem.src[0].shape[1]),
        units_(dense.units),
        wants_diff_src_(problem.training && problem.diff_src_wanted[0]),
        wants_diff_parameters_(problem.training && problem.diff_parameters_wanted) {
    converts_diff_dst_ = src_type_ != dst_type_ || activation_ != Activation::kNone;
    make_primitives(problem.training);
    lay_out_memory();
  }

  MemoryNeed memory() const override {
    return {.workspace = 0,
            .scratchpad = scratchpad_.bytes(),
            .packed = packed_.bytes(),
            .backward_reads_src = wants_diff_parameters_,
            .backward_reads_dst = activation_ != Activation::kNone && (wants_diff_src_ || wants_diff_parameters_)};
  }

  void forward(const ForwardArgs& args) override {
    void* scratch = at(args.scratchpad, primitive_scratch_);
    if (args.step.parameters_changed || !packed_once_) {
      pack_forward_.run(args.parameters[0], at(args.packed, packed_forward_), scratch);
      packed_once_ = true;
      backward_stale_ = true;
    }
    const void* weights = pack_forward_.is_identity() ? args.parameters[0] : at<const void>(args.packed, packed_forward_);
    if (has_bias_) {
      forward_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, args.parameters[1]}, {DNNL_ARG_DST, args.dst}},
                   scratch);
    } else {
      forward_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, args.dst}}, scratch);
    }
  }

  void backward(const BackwardArgs& args) override {
    const void* diff_dst = args.diff_dst;
    if (activation_ != Activation::kNone) {
      mask_gradient(activation_, dst_type_, args.diff_dst, args.dst, n_ * units_, at(args.scratchpad, masked_));
      diff_dst = at(args.scratchpad, masked_);
    }
    if (!narrow_diff_dst_.is_identity()) {
      narrow_diff_dst_.run(diff_dst, at(args.scratchpad, narrowed_), at(args.scratchpad, primitive_scratch_));
      diff_dst = at(args.scratchpad, narrowed_);
    }
    if (wants_diff_parameters_) backward_weights(args, diff_dst);
    if (wants_diff_src_ && args.diff_src_mode[0] != GradMode::kIgnore) backward_data(args, diff_dst);
  }

 private:
  void make_primitives(bool training) {
    const auto f32 = memory::data_type::f32;
    const auto src_type = type_of(src_type_), dst_type = type_of(dst_type_);
    const memory::desc master = dense_desc({units_, in_}, f32);
    // bf16 has no kernels for plain weights on every machine: let oneDNN choose the layout of the copy that it needs anyway.
    const memory::desc weights =
        src_type_ == DType::kF32 ? master : memory::desc({units_, in_}, src_type, memory::format_tag::any);
    const memory::desc src = dense_desc({n_, in_}, src_type), dst = dense_desc({n_, units_}, dst_type);
    const memory::desc bias = has_bias_ ? dense_desc({units_}, f32) : memory::desc();
    const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const auto forward = describe<dnnl::inner_product_forward>(plan_memory(activation_), kind, src, weights, bias, dst);
    pack_forward_ = Reorder(master, forward.weights_desc());
    forward_ = Call(dnnl::inner_product_forward(forward), forward,
                    {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, forward.weights_desc()}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, dst}});
    if (!wants_diff_src_ && !wants_diff_parameters_) return;

    const memory::desc diff_dst = dense_desc({n_, units_}, src_type);
    narrow_diff_dst_ = Reorder(dst, diff_dst);
    const auto hint = describe<dnnl::inner_product_forward>(plan_memory(), kind, src, weights, bias, diff_dst);
    if (wants_diff_parameters_) {
      const memory::desc diff_weights = src_type_ == DType::kF32 ? master : memory::desc({units_, in_}, f32, memory::format_tag::any);
      const auto pd = describe_backward<dnnl::inner_product_backward_weights>(plan_memory(), hint, src, diff_weights, bias, diff_dst);
      unpack_diff_weights_ = Reorder(pd.diff_weights_desc(), master);
      diff_weights_bytes_ = unpack_diff_weights_.is_identity() ? 0 : pd.diff_weights_desc().get_size();
      backward_weights_ = Call(dnnl::inner_product_backward_weights(pd), pd,
                               {{DNNL_ARG_SRC, src},
                                {DNNL_ARG_DIFF_DST, diff_dst},
                                {DNNL_ARG_DIFF_WEIGHTS, pd.diff_weights_desc()},
                                {DNNL_ARG_DIFF_BIAS, bias}});
    }
    if (wants_diff_src_) {
      const auto pd = describe_backward<dnnl::inner_product_backward_data>(plan_memory(), hint, src, weights, diff_dst);
      pack_backward_ = Reorder(master, pd.weights_desc());
      backward_data_ = Call(dnnl::inner_product_backward_data(pd), pd,
                            {{DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {DNNL_ARG_DIFF_SRC, src}});
    }
  }

  void lay_out_memory() {
    packed_forward_ = packed_.take(pack_forward_.bytes());
    packed_backward_ = packed_.take(pack_backward_.bytes());
    primitive_scratch_ = scratchpad_.take(
        std::max({forward_.scratchpad_bytes(), backward_weights_.scratchpad_bytes(), backward_data_.scratchpad_bytes(),
                  pack_forward_.scratchpad_bytes(), pack_backward_.scratchpad_bytes(), unpack_diff_weights_.scratchpad_bytes(),
                  narrow_diff_dst_.scratchpad_bytes()}));
    const auto dst_elements = static_cast<std::size_t>(n_ * units_);
    masked_ = scratchpad_.take(dst_elements * size_of(dst_type_));
    narrowed_ = scratchpad_.take(narrow_diff_dst_.bytes());
    diff_weights_ = scratchpad_.take(diff_weights_bytes_);
    if (wants_diff_parameters_) {
      diff_weights_addend_ = scratchpad_.take(static_cast<std::size_t>(units_ * in_) * sizeof(float));
      diff_bias_ = scratchpad_.take(static_cast<std::size_t>(units_) * sizeof(float));
    }
    if (wants_diff_src_) diff_src_addend_ = scratchpad_.take(static_cast<std::size_t>(n_ * in_) * size_of(src_type_));
  }

  void backward_weights(const BackwardArgs& args, const void* diff_dst) {
    void* scratch = at(args.scratchpad, primitive_scratch_);
    const bool accumulates = args.diff_parameters_mode == GradMode::kAccumulate;
    void* addend = at(args.scratchpad, diff_weights_addend_);
    void* master = accumulates ? addend : args.diff_parameters[0];
    void* diff_weights = unpack_diff_weights_.is_identity() ? master : at<void>(args.scratchpad, diff_weights_);
    if (has_bias_) {
      float* diff_bias = accumulates ? at<float>(args.scratchpad, diff_bias_) : args.diff_parameters[1];
      backward_weights_.run({{DNNL_ARG_SRC, args.src[0]},
                             {DNNL_ARG_DIFF_DST, diff_dst},
                             {DNNL_ARG_DIFF_WEIGHTS, diff_weights},
                             {DNNL_ARG_DIFF_BIAS, diff_bias}},
                            scratch);
      if (accumulates) add_into(DType::kF32, diff_bias, units_, args.diff_parameters[1]);
    } else {
      backward_weights_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_DIFF_WEIGHTS, diff_weights}}, scratch);
    }
    unpack_diff_weights_.run(diff_weights, master, scratch);
    if (accumulates) add_into(DType::kF32, addend, units_ * in_, args.diff_parameters[0]);
  }

  void backward_data(const BackwardArgs& args, const void* diff_dst) {
    void* scratch = at(args.scratchpad, primitive_scratch_);
    if (backward_stale_) {
      pack_backward_.run(args.parameters[0], at(args.packed, packed_backward_), scratch);
      backward_stale_ = false;
    }
    const void* weights = pack_backward_.is_identity() ? args.parameters[0] : at<const void>(args.packed, packed_backward_);
    const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
    void* diff_src = accumulates ? at<void>(args.scratchpad, diff_src_addend_) : args.diff_src[0];
    backward_data_.run({{DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, diff_src}}, scratch);
    if (accumulates) add_into(src_type_, diff_src, n_ * in_, args.diff_src[0]);
  }

  const Activation activation_;
  const bool has_bias_;
  const DType src_type_, dst_type_;
  const std::int64_t n_, in_, units_;
  const bool wants_diff_src_, wants_diff_parameters_;
  bool converts_diff_dst_ = false;
  std::size_t diff_weights_bytes_ = 0;

  Call forward_, backward_weights_, backward_data_;
  Reorder pack_forward_, pack_backward_, unpack_diff_weights_, narrow_diff_dst_;
  bool packed_once_ = false, backward_stale_ = true;

  Layout packed_, scratchpad_;
  std::size_t packed_forward_ = 0, packed_backward_ = 0;
  std::size_t primitive_scratch_ = 0, masked_ = 0, narrowed_ = 0, diff_weights_ = 0, diff_weights_addend_ = 0, diff_bias_ = 0,
              diff_src_addend_ = 0;
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnDense = {"onednn", "vendor", onednn::supports_by_making<onednn::DenseKernel, Dense>,
                                               onednn::make_kernel<onednn::DenseKernel, Dense>};

}  // namespace cudacards
