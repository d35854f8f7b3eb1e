// Convolution over the whole batch by oneDNN: any kernel, stride, padding and groups, bias and activation as post-operations.

#include <algorithm>
#include <string>

#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"
#include "host/ops/vendor/onednn_elementwise.h"

namespace cudacards {
namespace onednn {
namespace {

struct Descs {
  memory::desc src, weights, bias, dst;
  memory::dims strides, pad_before, pad_after;
};

Descs descs_of(const Conv2dProblem& c, bool has_bias, memory::data_type type) {
  return {nhwc_desc(c.n, c.h, c.w, c.c, type),
          any_weights_desc(c, type),
          has_bias ? dense_desc({c.k}, memory::data_type::f32) : memory::desc(),
          nhwc_desc(c.n, c.p(), c.q(), c.k, type),
          {c.stride_h, c.stride_w},
          {c.pad.top, c.pad.left},
          {c.pad.bottom, c.pad.right}};
}

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

class Conv2dKernel final : public Kernel {
 public:
  Conv2dKernel(const Conv2d& conv, const Problem& problem)
      : activation_(conv.options.activation), type_(problem.dst.type), has_bias_(conv.options.bias) {
    if (conv.pool) throw Refused("a max pool behind it: left to the implementations that fuse it");
    if (problem.src[0].type != type_) throw Refused("src and dst differ in type");
    const Conv2dProblem c = conv.problem(problem.src[0].shape);
    src_elements_ = c.src_elements();
    dst_elements_ = c.dst_elements();
    weight_elements_ = c.weight_elements();
    k_ = c.k;
    wants_diff_src_ = problem.training && problem.diff_src_wanted[0];
    wants_diff_parameters_ = problem.training && problem.diff_parameters_wanted;
    masks_ = activation_ != Activation::kNone && (wants_diff_src_ || wants_diff_parameters_);
    make_primitives(c, problem.training);
    lay_out_memory();
  }

  MemoryNeed memory() const override {
    return {.workspace = 0,
            .scratchpad = scratchpad_.bytes(),
            .packed = packed_.bytes(),
            .backward_reads_src = wants_diff_parameters_,
            .backward_reads_dst = masks_};
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
    if (masks_) {
      void* masked = at(args.scratchpad, masked_);
      mask_gradient(activation_, type_, args.diff_dst, args.dst, dst_elements_, masked);
      diff_dst = masked;
    }
    if (wants_diff_parameters_) backward_weights(args, diff_dst);
    if (wants_diff_src_ && args.diff_src_mode[0] != GradMode::kIgnore) backward_data(args, diff_dst);
  }

 private:
  void make_primitives(const Conv2dProblem& c, bool training) {
    const Descs d = descs_of(c, has_bias_, type_of(type_));
    const auto f32 = memory::data_type::f32;
    const memory::desc master = krsc_desc(c, f32);
    const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const auto forward = describe<dnnl::convolution_forward>(plan_memory(activation_), kind, kDirect, d.src, d.weights, d.bias, d.dst,
                                                             d.strides, d.pad_before, d.pad_after);
    pack_forward_ = Reorder(master, forward.weights_desc());
    forward_ = Call(dnnl::convolution_forward(forward), forward,
                    {{DNNL_ARG_SRC, d.src}, {DNNL_ARG_WEIGHTS, forward.weights_desc()}, {DNNL_ARG_BIAS, d.bias}, {DNNL_ARG_DST, d.dst}});
    if (!wants_diff_src_ && !wants_diff_parameters_) return;

    // The hint must be a forward convolution without post-operations: what is differentiated here is the convolution alone.
    const auto hint = describe<dnnl::convolution_forward>(plan_memory(), kind, kDirect, d.src, d.weights, d.bias, d.dst, d.strides,
                                                          d.pad_before, d.pad_after);
    if (wants_diff_parameters_) {
      const auto pd = describe_backward<dnnl::convolution_backward_weights>(plan_memory(), hint, kDirect, d.src, any_weights_desc(c, f32),
                                                                            d.bias, d.dst, d.strides, d.pad_before, d.pad_after);
      unpack_diff_weights_ = Reorder(pd.diff_weights_desc(), master);
      diff_weights_bytes_ = pd.diff_weights_desc().get_size();
      backward_weights_ = Call(dnnl::convolution_backward_weights(pd), pd,
                               {{DNNL_ARG_SRC, d.src},
                                {DNNL_ARG_DIFF_DST, d.dst},
                                {DNNL_ARG_DIFF_WEIGHTS, pd.diff_weights_desc()},
                                {DNNL_ARG_DIFF_BIAS, d.bias}});
    }
    if (wants_diff_src_) {
      const auto pd = describe_backward<dnnl::convolution_backward_data>(plan_memory(), hint, kDirect, d.src, d.weights, d.dst, d.strides,
                                                                         d.pad_before, d.pad_after);
      pack_backward_ = Reorder(master, pd.weights_desc());
      backward_data_ = Call(dnnl::convolution_backward_data(pd), pd,
                            {{DNNL_ARG_DIFF_DST, d.dst}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {DNNL_ARG_DIFF_SRC, d.src}});
    }
  }

  void lay_out_memory() {
    packed_forward_ = packed_.take(pack_forward_.bytes());
    packed_backward_ = packed_.take(pack_backward_.bytes());
    primitive_scratch_ = scratchpad_.take(std::max({forward_.scratchpad_bytes(), backward_weights_.scratchpad_bytes(),
                                                    backward_data_.scratchpad_bytes(), pack_forward_.scratchpad_bytes(),
                                                    pack_backward_.scratchpad_bytes(), unpack_diff_weights_.scratchpad_bytes()}));
    if (masks_) masked_ = scratchpad_.take(static_cast<std::size_t>(dst_elements_) * size_of(type_));
    if (wants_diff_parameters_) {
      diff_weights_ = scratchpad_.take(diff_weights_bytes_);
      diff_weights_addend_ = scratchpad_.take(static_cast<std::size_t>(weight_elements_) * sizeof(float));
      diff_bias_ = scratchpad_.take(static_cast<std::size_t>(k_) * sizeof(float));
    }
    if (wants_diff_src_) diff_src_addend_ = scratchpad_.take(static_cast<std::size_t>(src_elements_) * size_of(type_));
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
      if (accumulates) add_into(DType::kF32, diff_bias, k_, args.diff_parameters[1]);
    } else {
      backward_weights_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_DIFF_WEIGHTS, diff_weights}}, scratch);
    }
    unpack_diff_weights_.run(diff_weights, master, scratch);
    if (accumulates) add_into(DType::kF32, addend, weight_elements_, args.diff_parameters[0]);
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
    if (accumulates) add_into(type_, diff_src, src_elements_, args.diff_src[0]);
  }

  const Activation activation_;
  const DType type_;
  const bool has_bias_;
  bool wants_diff_src_ = false, wants_diff_parameters_ = false, masks_ = false;
  std::int64_t src_elements_ = 0, dst_elements_ = 0, weight_elements_ = 0, k_ = 0;
  std::size_t diff_weights_bytes_ = 0;

  Call forward_, backward_weights_, backward_data_;
  Reorder pack_forward_, pack_backward_, unpack_diff_weights_;
  bool packed_once_ = false, backward_stale_ = true;

  Layout packed_, scratchpad_;
  std::size_t packed_forward_ = 0, packed_backward_ = 0;
  std::size_t primitive_scratch_ = 0, masked_ = 0, diff_weights_ = 0, diff_weights_addend_ = 0, diff_bias_ = 0, diff_src_addend_ = 0;
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnConv2d = {"onednn", "vendor", onednn::supports_by_making<onednn::Conv2dKernel, Conv2d>,
                                                onednn::make_kernel<onednn::Conv2dKernel, Conv2d>};

}  // namespace cudacards
