#include "host/ops/vendor/device_affine.h"

#include <algorithm>

#include "host/ops/vendor/device_steps.h"

namespace cudacards::vendor {

DeviceAffineKernel::DeviceAffineKernel(const Problem& problem, const Sizes& sizes, Activation activation, bool has_bias)
    : src_(problem.src[0]),
      dst_(problem.dst),
      activation_(activation),
      has_bias_(has_bias),
      kernels_(*problem.target.kernels),
      sizes_(sizes),
      wants_diff_src_(problem.training && problem.diff_src_wanted[0]),
      wants_diff_parameters_(problem.training && problem.diff_parameters_wanted),
      tf32_(problem.tf32),
      front_(problem, activation, src_.type) {
  if (src_.type == DType::kU8 || dst_.type == DType::kU8) throw Refused("needs fp32 or bf16, not uint8: rescale first");
  if (src_.type == DType::kF32 && dst_.type != DType::kF32) throw Refused("fp32 products into bf16");
}

void DeviceAffineKernel::plan_memory(std::size_t workspace_bytes) {
  const bool has_backward = wants_diff_src_ || wants_diff_parameters_;
  front_at_ = scratchpad_.take(has_backward ? front_.scratchpad_bytes() : 0);
  // The same place for what is added to either gradient: one after the other.
  const auto fp32 = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(float); };
  addend_ =
      scratchpad_.take(std::max(wants_diff_src_ ? src_.bytes() : 0, wants_diff_parameters_ ? fp32(sizes_.weights) : 0));
  bias_addend_ = scratchpad_.take(wants_diff_parameters_ && has_bias_ ? fp32(sizes_.channels) : 0);
  workspace_ = scratchpad_.take(workspace_bytes);
}

MemoryNeed DeviceAffineKernel::memory() const {
  return {.scratchpad = scratchpad_.bytes(),
          .backward_reads_src = wants_diff_parameters_,
          .backward_reads_dst = activation_ != Activation::kNone && (wants_diff_src_ || wants_diff_parameters_)};
}

void DeviceAffineKernel::forward(const ForwardArgs& args) {
  const bool is_activated = forward_products(args, at<void>(args.scratchpad, workspace_));
  if (is_activated || activation_ == Activation::kNone) return;
  activate(kernels_, activation_, {dst_.type, dst_.shape.elements()}, args.dst, args.device.stream);
}

void DeviceAffineKernel::backward(const BackwardArgs& args) {
  const bool of_parameters = wants_diff_parameters_ && args.diff_parameters_mode != GradMode::kIgnore;
  const bool of_src = wants_diff_src_ && args.diff_src_mode[0] != GradMode::kIgnore;
  if (!of_parameters && !of_src) return;
  const Stream stream = args.device.stream;
  const void* diff = front_.of(args.dst, args.diff_dst, at<void>(args.scratchpad, front_at_), stream);
  void* workspace = at<void>(args.scratchpad, workspace_);
  if (of_parameters) {
    const bool accumulates = args.diff_parameters_mode == GradMode::kAccumulate;
    float* weights = accumulates ? at<float>(args.scratchpad, addend_) : args.diff_parameters[0];
    float* bias = nullptr;
    if (has_bias_) bias = accumulates ? at<float>(args.scratchpad, bias_addend_) : args.diff_parameters[1];
    backward_weights(args, diff, weights, bias, workspace);
    if (accumulates) {
      add_into(kernels_, {DType::kF32, sizes_.weights}, weights, args.diff_parameters[0], stream);
      if (has_bias_) add_into(kernels_, {DType::kF32, sizes_.channels}, bias, args.diff_parameters[1], stream);
    }
  }
  if (of_src) {
    const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
    void* diff_src = accumulates ? at<void>(args.scratchpad, addend_) : args.diff_src[0];
    backward_data(args, diff, diff_src, workspace);
    if (accumulates) add_into(kernels_, {src_.type, src_.shape.elements()}, diff_src, args.diff_src[0], stream);
  }
}

void DeviceAffineKernel::cast(DType from, DType to, std::int64_t elements, const void* src, void* dst,
                              Stream stream) const {
  require(kernels_.cast({.elements = elements, .from = from, .to = to}, {src, dst}, stream), "cast");
}

}  // namespace cudacards::vendor
