#include <cstring>

#include "host/ops/cpu/elementwise.h"
#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cpu {
namespace {

class AddKernel final : public Kernel {
 public:
  AddKernel(const Add&, const Problem& problem) : dst_(problem.dst) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    add(dst_.type, dst_.shape.elements(), args.src[0], args.src[1], args.dst);
  }

  // One source after the other: x + x has both gradients in the same memory, the second accumulates.
  void backward(const BackwardArgs& args) override {
    for (std::size_t i = 0; i < args.diff_src.size(); ++i) {
      if (args.diff_src_mode[i] == GradMode::kOverwrite && args.diff_src[i] != args.diff_dst) {
        std::memcpy(args.diff_src[i], args.diff_dst, dst_.bytes());
      } else if (args.diff_src_mode[i] == GradMode::kAccumulate) {
        add_into(dst_.type, dst_.shape.elements(), args.diff_dst, args.diff_src[i]);
      }
    }
  }

 private:
  const TensorDesc dst_;
};

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuAdd = {"vectorised", "hand", cpu::supports_one_type,
                                          cpu::make_kernel<cpu::AddKernel, Add>};

}  // namespace cudacards
