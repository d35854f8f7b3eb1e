// Softmax over the last dimension by oneDNN.

#include <algorithm>

#include "host/ops/cpu/elementwise.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"

namespace cudacards {
namespace onednn {
namespace {

#if DNNL_VERSION_MAJOR >= 3
using SoftmaxForward = dnnl::softmax_forward;
using SoftmaxBackward = dnnl::softmax_backward;
#else
using SoftmaxForward = dnnl::softmax_v2_forward;
using SoftmaxBackward = dnnl::softmax_v2_backward;
#endif

class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(const Softmax&, const Problem& problem) : src_(problem.src[0]) {
    if (src_.type != DType::kF32 || problem.dst.type != DType::kF32)
      throw Refused("needs fp32: oneDNN rounds bf16 in between");
    const std::int64_t classes = src_.shape.sizes().back();
    const memory::desc rows = dense_desc({src_.shape.elements() / classes, classes}, type_of(src_.type));
    const auto kind = problem.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    constexpr auto kAccurate = dnnl::algorithm::softmax_accurate;
    const auto forward = describe<SoftmaxForward>(plan_memory(), kind, kAccurate, rows, rows, 1);
    forward_ = Call(SoftmaxForward(forward), forward, {{DNNL_ARG_SRC, rows}, {DNNL_ARG_DST, rows}});
    std::size_t primitive_bytes = forward_.scratchpad_bytes();
    const bool wants_diff_src = problem.training && problem.diff_src_wanted[0];
    if (wants_diff_src) {
      const auto backward = describe_backward<SoftmaxBackward>(plan_memory(), forward, kAccurate, rows, rows, rows, 1);
      backward_ = Call(SoftmaxBackward(backward), backward,
                       {{DNNL_ARG_DST, rows}, {DNNL_ARG_DIFF_DST, rows}, {DNNL_ARG_DIFF_SRC, rows}});
      primitive_bytes = std::max(primitive_bytes, backward_.scratchpad_bytes());
    }
    primitive_scratch_ = scratchpad_.take(primitive_bytes);
    if (wants_diff_src) addend_ = scratchpad_.take(src_.bytes());
  }

  MemoryNeed memory() const override {
    return {.scratchpad = scratchpad_.bytes(), .backward_reads_src = false, .backward_reads_dst = true};
  }

  void forward(const ForwardArgs& args) override {
    forward_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_DST, args.dst}},
                 at<void>(args.scratchpad, primitive_scratch_));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
    void* diff_src = accumulates ? at<void>(args.scratchpad, addend_) : args.diff_src[0];
    backward_.run({{DNNL_ARG_DST, args.dst}, {DNNL_ARG_DIFF_DST, args.diff_dst}, {DNNL_ARG_DIFF_SRC, diff_src}},
                  at<void>(args.scratchpad, primitive_scratch_));
    if (accumulates) cpu::add_into(src_.type, src_.shape.elements(), diff_src, args.diff_src[0]);
  }

 private:
  const TensorDesc src_;
  Call forward_, backward_;
  Layout scratchpad_;
  std::size_t primitive_scratch_ = 0, addend_ = 0;
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnSoftmax = {"onednn", "vendor",
                                                 onednn::supports_by_making<onednn::SoftmaxKernel, Softmax>,
                                                 onednn::make_kernel<onednn::SoftmaxKernel, Softmax>};

}  // namespace cudacards
