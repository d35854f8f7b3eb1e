#include "host/ops/vendor/onednn_affine.h"

#include <algorithm>

#include "host/ops/cpu/elementwise.h"

namespace cudacards::onednn {

AffineKernel::AffineKernel(const Problem& problem, std::int64_t weight_elements, Activation activation, bool has_bias,
                           std::int64_t channels)
    : src_(problem.src[0]),
      dst_(problem.dst),
      weight_elements_(weight_elements),
      channels_(channels),
      activation_(activation),
      has_bias_(has_bias),
      wants_diff_src_(problem.training && problem.diff_src_wanted[0]),
      wants_diff_parameters_(problem.training && problem.diff_parameters_wanted) {
  if (src_.type == DType::kU8 || dst_.type == DType::kU8) throw Refused("needs fp32 or bf16");
}

memory::desc AffineKernel::bias_desc() const {
  return has_bias_ ? dense_desc({channels_}, memory::data_type::f32) : memory::desc();
}

void AffineKernel::lay_out_memory(std::size_t own_packed, std::size_t own_scratch) {
  if (wants_diff_src_ || wants_diff_parameters_) {
    narrow_diff_dst_ =
        Reorder(dense_desc({dst_.shape.elements()}, dst_type()), dense_desc({dst_.shape.elements()}, src_type()));
  }
  packed_forward_ = packed_.take(pack_forward_.bytes());
  packed_backward_ = packed_.take(pack_backward_.bytes());
  own_packed_ = packed_.take(own_packed);
  own_scratch_ = scratchpad_.take(own_scratch);
  primitive_scratch_ = scratchpad_.take(
      std::max({forward_.scratchpad_bytes(), backward_weights_.scratchpad_bytes(), backward_data_.scratchpad_bytes(),
                pack_forward_.scratchpad_bytes(), pack_backward_.scratchpad_bytes(),
                unpack_diff_weights_.scratchpad_bytes(), narrow_diff_dst_.scratchpad_bytes()}));
  if (wants_diff_src_ || wants_diff_parameters_) {
    masked_ = scratchpad_.take(activation_ == Activation::kNone ? 0 : dst_.bytes());
    narrowed_ = scratchpad_.take(narrow_diff_dst_.bytes());
  }
  if (wants_diff_parameters_) {
    diff_weights_ = scratchpad_.take(diff_weights_bytes_);
    diff_weights_addend_ = scratchpad_.take(static_cast<std::size_t>(weight_elements_) * sizeof(float));
    diff_bias_addend_ = scratchpad_.take(static_cast<std::size_t>(channels_) * sizeof(float));
  }
  if (wants_diff_src_) diff_src_addend_ = scratchpad_.take(src_.bytes());
}

MemoryNeed AffineKernel::memory() const {
  return {.workspace = 0,
          .scratchpad = scratchpad_.bytes(),
          .packed = packed_.bytes(),
          .backward_reads_src = wants_diff_parameters_,
          .backward_reads_dst = activation_ != Activation::kNone && (wants_diff_src_ || wants_diff_parameters_)};
}

void AffineKernel::forward(const ForwardArgs& args) {
  void* scratch = at<void>(args.scratchpad, primitive_scratch_);
  if (args.step.parameters_changed || !packed_once_) {
    pack_forward_.run(args.parameters[0], at<void>(args.packed, packed_forward_), scratch);
    pack(args.parameters[0], at<void>(args.packed, own_packed_));
    packed_once_ = true;
    backward_stale_ = true;
  }
  if (multiply(args, at<const void>(args.packed, own_packed_))) return;
  const void* weights = pack_forward_.is_identity() ? args.parameters[0] : at<const void>(args.packed, packed_forward_);
  if (has_bias_) {
    forward_.run({{DNNL_ARG_SRC, args.src[0]},
                  {DNNL_ARG_WEIGHTS, weights},
                  {DNNL_ARG_BIAS, args.parameters[1]},
                  {DNNL_ARG_DST, args.dst}},
                 scratch);
  } else {
    forward_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, args.dst}}, scratch);
  }
  // Not a post-operation of the primitive: those turn a NaN into 0, and a run that has gone wrong would look well.
  if (activation_ != Activation::kNone)
    cpu::activate(activation_, dst_.type, dst_.shape.elements(), args.dst, args.dst);
}

void AffineKernel::pack(const float*, void*) const {}
bool AffineKernel::multiply(const ForwardArgs&, const void*) const { return false; }
bool AffineKernel::multiply_diff_weights(const BackwardArgs&, const void*, void*) const { return false; }
bool AffineKernel::multiply_diff_src(const BackwardArgs&, const void*, const void*) const { return false; }

void AffineKernel::backward(const BackwardArgs& args) {
  if (!wants_diff_src_ && !wants_diff_parameters_) return;
  const void* diff_dst = diff_before_activation(args);
  if (wants_diff_parameters_ && args.diff_parameters_mode != GradMode::kIgnore) backward_weights(args, diff_dst);
  if (wants_diff_src_ && args.diff_src_mode[0] != GradMode::kIgnore) backward_data(args, diff_dst);
}

const void* AffineKernel::diff_before_activation(const BackwardArgs& args) {
  const void* diff_dst = args.diff_dst;
  if (activation_ != Activation::kNone) {
    void* masked = at<void>(args.scratchpad, masked_);
    cpu::mask_gradient(activation_, dst_.type, dst_.shape.elements(), args.dst, diff_dst, masked);
    diff_dst = masked;
  }
  if (!narrow_diff_dst_.is_identity()) {
    void* narrowed = at<void>(args.scratchpad, narrowed_);
    narrow_diff_dst_.run(diff_dst, narrowed, at<void>(args.scratchpad, primitive_scratch_));
    diff_dst = narrowed;
  }
  return diff_dst;
}

void AffineKernel::backward_weights(const BackwardArgs& args, const void* diff_dst) {
  if (multiply_diff_weights(args, diff_dst, at<void>(args.scratchpad, own_scratch_))) return;
  void* scratch = at<void>(args.scratchpad, primitive_scratch_);
  const bool accumulates = args.diff_parameters_mode == GradMode::kAccumulate;
  auto* addend = at<float>(args.scratchpad, diff_weights_addend_);
  float* master = accumulates ? addend : args.diff_parameters[0];
  void* diff_weights = unpack_diff_weights_.is_identity() ? master : at<void>(args.scratchpad, diff_weights_);
  if (has_bias_) {
    float* diff_bias = accumulates ? at<float>(args.scratchpad, diff_bias_addend_) : args.diff_parameters[1];
    backward_weights_.run({{DNNL_ARG_SRC, args.src[0]},
                           {DNNL_ARG_DIFF_DST, diff_dst},
                           {DNNL_ARG_DIFF_WEIGHTS, diff_weights},
                           {DNNL_ARG_DIFF_BIAS, diff_bias}},
                          scratch);
    if (accumulates) cpu::add_into(DType::kF32, channels_, diff_bias, args.diff_parameters[1]);
  } else {
    backward_weights_.run(
        {{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_DIFF_WEIGHTS, diff_weights}}, scratch);
  }
  unpack_diff_weights_.run(diff_weights, master, scratch);
  if (accumulates) cpu::add_into(DType::kF32, weight_elements_, addend, args.diff_parameters[0]);
}

void AffineKernel::backward_data(const BackwardArgs& args, const void* diff_dst) {
  if (multiply_diff_src(args, diff_dst, at<const void>(args.packed, own_packed_))) return;
  void* scratch = at<void>(args.scratchpad, primitive_scratch_);
  if (backward_stale_) {
    pack_backward_.run(args.parameters[0], at<void>(args.packed, packed_backward_), scratch);
    backward_stale_ = false;
  }
  const void* weights =
      pack_backward_.is_identity() ? args.parameters[0] : at<const void>(args.packed, packed_backward_);
  const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
  void* diff_src = accumulates ? at<void>(args.scratchpad, diff_src_addend_) : args.diff_src[0];
  backward_data_.run({{DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, diff_src}},
                     scratch);
  if (accumulates) cpu::add_into(src_.type, src_.shape.elements(), diff_src, args.diff_src[0]);
}

}  // namespace cudacards::onednn
