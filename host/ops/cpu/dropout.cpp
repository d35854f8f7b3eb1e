// Dropout with random numbers drawn for several quads of elements at once; the mask is the reference's bit for bit.

#include <algorithm>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/random_quads.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/ops.h"
#include "host/runtime/threads.h"
#include "kernels/base/philox.h"

namespace cudacards {
namespace cpu {
namespace {

constexpr int kElements = 4 * kQuads;

template <class T>
class DropoutKernel final : public Kernel {
 public:
  DropoutKernel(const Dropout& dropout, const Problem& problem)
      : rate_(dropout.rate), node_(static_cast<std::uint32_t>(problem.node)), elements_(problem.dst.shape.elements()) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    scale(args.step, static_cast<const T*>(args.src[0]), GradMode::kOverwrite, static_cast<T*>(args.dst));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    scale(args.step, static_cast<const T*>(args.diff_dst), args.diff_src_mode[0], static_cast<T*>(args.diff_src[0]));
  }

 private:
  void scale(const Step& step, const T* from, GradMode mode, T* to) const {
    parallel_ranges((elements_ + kElements - 1) / kElements, [&](std::int64_t begin, std::int64_t end, int) {
      const float kept = 1.0f / (1.0f - rate_);
      for (std::int64_t block = begin; block < end; ++block) {
        float scales[kElements];
        std::fill_n(scales, kElements, 1.0f);
        if (step.training) {
          std::uint32_t words[kElements];
          random_quads(step.seed, RandomPurpose::kDropout, step.number, node_,
                       static_cast<std::uint32_t>(block * kQuads), words);
          for (int i = 0; i < kElements; ++i) scales[i] = uniform01(words[i]) >= rate_ ? kept : 0.0f;
        }
        const std::int64_t first = block * kElements;
        const std::int64_t count = std::min<std::int64_t>(kElements, elements_ - first);
        if (count == kElements) {
          apply_scales(scales, kElements, from + first, mode,
                       to + first);  // a constant count, so that the loop is vectors only
        } else {
          apply_scales(scales, static_cast<int>(count), from + first, mode, to + first);
        }
      }
    });
  }

  static void apply_scales(const float* scales, int count, const T* from, GradMode mode, T* to) {
    for (int i = 0; i < count; ++i) {
      const float x = scales[i] > 0.0f ? static_cast<float>(from[i]) * scales[i] : 0.0f;
      to[i] = static_cast<T>(mode == GradMode::kAccumulate ? static_cast<float>(to[i]) + x : x);
    }
  }

  const float rate_;
  const std::uint32_t node_;
  const std::int64_t elements_;
};

std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  if (problem.dst.type == DType::kBf16) return make_kernel<DropoutKernel<Bf16>, Dropout>(operation, problem);
  return make_kernel<DropoutKernel<float>, Dropout>(operation, problem);
}

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuDropout = {"vectorised", "hand", cpu::supports_one_type, cpu::make};

}  // namespace cudacards
