#include "host/ops/folded_kernel.h"

#include "host/runtime/buffer.h"
#include "host/runtime/error.h"

namespace cudacards {

FoldedKernel::FoldedKernel(const FoldedConv2d& op, const Problem& problem, std::unique_ptr<Kernel> inner)
    : filters_(op.conv.options.filters),
      weights_(op.conv.problem(problem.src[0].shape).weight_elements()),
      has_bias_(op.conv.options.bias),
      epsilon_(op.epsilon),
      inner_(std::move(inner)),
      has_bf16_copy_(problem.target.kind != DeviceKind::kCpu && problem.src[0].type == DType::kBf16) {}

MemoryNeed FoldedKernel::memory() const {
  MemoryNeed need = inner_->memory();
  need.packed = folded_bytes() + need.packed;
  return need;
}

void FoldedKernel::prepare(const ForwardArgs& args) {
  fold(args, folded_in(args.packed));
  is_folded_ = true;
}

void FoldedKernel::forward(const ForwardArgs& args) {
  if (!is_folded_) prepare(args);
  const FoldedParameters folded = folded_in(args.packed);
  float* const parameters[] = {folded.weights, folded.bias};
  const Bf16* const copies[] = {folded.weights_bf16, nullptr};
  ForwardArgs inner = args;
  inner.parameters = parameters;
  inner.parameters_bf16 = copies;
  inner.packed = static_cast<std::byte*>(args.packed) + folded_bytes();
  inner_->forward(inner);
}

void FoldedKernel::backward(const BackwardArgs& args) {
  const FoldedParameters folded = folded_in(args.packed);
  const float* const parameters[] = {folded.weights, folded.bias};
  const Bf16* const copies[] = {folded.weights_bf16, nullptr};
  float* const diff_parameters[] = {nullptr, nullptr};
  BackwardArgs inner = args;
  inner.parameters = parameters;
  inner.parameters_bf16 = copies;
  inner.diff_parameters = diff_parameters;
  inner.diff_parameters_mode = GradMode::kIgnore;
  inner.packed = static_cast<std::byte*>(args.packed) + folded_bytes();
  inner_->backward(inner);
}

FoldedParameters FoldedKernel::folded_in(void* packed) const {
  auto* place = static_cast<std::byte*>(packed);
  FoldedParameters folded;
  folded.weights = reinterpret_cast<float*>(place);
  place += align_up(static_cast<std::size_t>(weights_) * sizeof(float));
  folded.bias = reinterpret_cast<float*>(place);
  place += align_up(static_cast<std::size_t>(filters_) * sizeof(float));
  if (has_bf16_copy_) folded.weights_bf16 = reinterpret_cast<Bf16*>(place);
  return folded;
}

std::size_t FoldedKernel::folded_bytes() const {
  const auto weights = static_cast<std::size_t>(weights_), filters = static_cast<std::size_t>(filters_);
  return align_up(weights * sizeof(float)) + align_up(filters * sizeof(float)) +
         (has_bf16_copy_ ? align_up(weights * sizeof(Bf16)) : 0);
}

const FoldedConv2d& folded::operation_of(const Operation& operation) {
  const auto* op = dynamic_cast<const FoldedConv2d*>(&operation);
  CUDACARDS_CHECK(op != nullptr);
  return *op;
}

}  // namespace cudacards
