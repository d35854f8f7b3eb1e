#include "host/ops/cuda/widened.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "host/ops/cuda/device_kernel.h"
#include "host/runtime/buffer.h"
#include "host/runtime/device.h"

namespace cudacards::cuda {
namespace {

Problem in_fp32(Problem problem) {
  for (TensorDesc& src : problem.src) src.type = DType::kF32;
  problem.dst.type = DType::kF32;
  problem.tf32 = false;  // what others are compared with
  return problem;
}

/// Where in the scratchpad the fp32 copy of a tensor lies; none where the tensor is fp32 itself.
struct Copy {
  std::int64_t elements = 0;
  std::size_t offset = 0;
  bool is_needed = false;
};

class WidenedKernel final : public Kernel {
 public:
  WidenedKernel(const Implementation& inner, const Operation& operation, const Problem& problem)
      : kernels_(*problem.target.kernels), inner_(inner.make(operation, in_fp32(problem))), need_(inner_->memory()) {
    need_.scratchpad = align_up(need_.scratchpad);
    for (const TensorDesc& src : problem.src) src_.push_back(place(src));
    dst_ = place(problem.dst);
    if (!problem.training) return;
    diff_dst_ = place(problem.dst);
    for (const TensorDesc& src : problem.src) diff_src_.push_back(place(src));
  }

  MemoryNeed memory() const override { return need_; }

  void forward(const ForwardArgs& args) override {
    const Stream stream = args.device.stream;
    ForwardArgs wide = args;
    const auto src = widened_sources(args.src, args.scratchpad, stream);
    wide.src = src;
    if (dst_.is_needed) wide.dst = at(dst_, args.scratchpad);
    inner_->forward(wide);
    if (dst_.is_needed) cast(dst_, DType::kF32, wide.dst, args.dst, stream);
  }

  void backward(const BackwardArgs& args) override {
    const Stream stream = args.device.stream;
    BackwardArgs wide = args;
    std::vector<const void*> src(args.src.size(), nullptr);
    if (need_.backward_reads_src) src = widened_sources(args.src, args.scratchpad, stream);
    wide.src = src;
    if (args.dst != nullptr) wide.dst = widen(dst_, args.dst, args.scratchpad, stream);
    wide.diff_dst = widen(diff_dst_, args.diff_dst, args.scratchpad, stream);
    std::vector<void*> diff_src(args.diff_src.begin(), args.diff_src.end());
    for (std::size_t i = 0; i < diff_src.size(); ++i) {
      if (!diff_src_[i].is_needed || args.diff_src_mode[i] == GradMode::kIgnore) continue;
      diff_src[i] = at(diff_src_[i], args.scratchpad);
      if (args.diff_src_mode[i] == GradMode::kAccumulate)
        cast(diff_src_[i], DType::kBf16, args.diff_src[i], diff_src[i], stream);
    }
    wide.diff_src = diff_src;
    inner_->backward(wide);
    for (std::size_t i = 0; i < diff_src.size(); ++i) {
      if (diff_src[i] != args.diff_src[i]) cast(diff_src_[i], DType::kF32, diff_src[i], args.diff_src[i], stream);
    }
  }

 private:
  Copy place(const TensorDesc& tensor) {
    Copy copy{tensor.shape.elements(), need_.scratchpad, tensor.type != DType::kF32};
    if (copy.is_needed) need_.scratchpad += align_up(static_cast<std::size_t>(copy.elements) * sizeof(float));
    return copy;
  }

  static void* at(const Copy& copy, void* scratchpad) { return static_cast<std::byte*>(scratchpad) + copy.offset; }

  const void* widen(const Copy& copy, const void* tensor, void* scratchpad, Stream stream) {
    if (!copy.is_needed) return tensor;
    cast(copy, DType::kBf16, tensor, at(copy, scratchpad), stream);
    return at(copy, scratchpad);
  }

  std::vector<const void*> widened_sources(std::span<const void* const> src, void* scratchpad, Stream stream) {
    std::vector<const void*> wide;
    for (std::size_t i = 0; i < src.size(); ++i) wide.push_back(widen(src_[i], src[i], scratchpad, stream));
    return wide;
  }

  void cast(const Copy& copy, DType from, const void* src, void* dst, Stream stream) {
    const DType to = from == DType::kF32 ? DType::kBf16 : DType::kF32;
    require(kernels_.cast({.elements = copy.elements, .from = from, .to = to}, {src, dst}, stream), "cast");
  }

  const KernelTable& kernels_;
  const std::unique_ptr<Kernel> inner_;
  MemoryNeed need_;
  std::vector<Copy> src_, diff_src_;
  Copy dst_, diff_dst_;
};

}  // namespace

Verdict supports_widened(const Implementation& inner, const Operation& operation, const Problem& problem) {
  const bool pixels = std::ranges::any_of(problem.src, [](const TensorDesc& d) { return d.type == DType::kU8; });
  if (pixels || problem.dst.type == DType::kU8) return Verdict::no("needs fp32 or bf16, not uint8: rescale first");
  return inner.supports(operation, in_fp32(problem));
}

std::unique_ptr<Kernel> make_widened(const Implementation& inner, const Operation& operation, const Problem& problem) {
  return std::make_unique<WidenedKernel>(inner, operation, problem);
}

}  // namespace cudacards::cuda
