// The mean over a picture as oneDNN's average pool with a window of the picture's size.

#include <algorithm>

#include "host/ops/cpu/elementwise.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"

namespace cudacards {
namespace onednn {
namespace {

#if DNNL_VERSION_MAJOR >= 3
using PoolForward = dnnl::pooling_forward;
using PoolBackward = dnnl::pooling_backward;
#else
using PoolForward = dnnl::pooling_v2_forward;
using PoolBackward = dnnl::pooling_v2_backward;
#endif

class GlobalAveragePoolKernel final : public Kernel {
 public:
  GlobalAveragePoolKernel(const GlobalAveragePool2d&, const Problem& problem) : src_(problem.src[0]) {
    if (src_.type == DType::kU8 || src_.type != problem.dst.type) throw Refused("needs src and dst in fp32 or bf16");
    const std::int64_t n = src_.shape[0], h = src_.shape[1], w = src_.shape[2], c = src_.shape[3];
    const memory::desc src = nhwc_desc(n, h, w, c, type_of(src_.type)), dst = nhwc_desc(n, 1, 1, c, type_of(src_.type));
    const memory::dims strides = {1, 1}, window = {h, w}, none = {0, 0};
    const auto kind = problem.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    constexpr auto kMean = dnnl::algorithm::pooling_avg_exclude_padding;
    const auto forward = describe<PoolForward>(plan_memory(), kind, kMean, src, dst, strides, window, none, none, none);
    forward_ = Call(PoolForward(forward), forward, {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}});
    std::size_t primitive_bytes = forward_.scratchpad_bytes();
    const bool wants_diff_src = problem.training && problem.diff_src_wanted[0];
    if (wants_diff_src) {
      const auto backward =
          describe_backward<PoolBackward>(plan_memory(), forward, kMean, src, dst, strides, window, none, none, none);
      backward_ = Call(PoolBackward(backward), backward, {{DNNL_ARG_DIFF_DST, dst}, {DNNL_ARG_DIFF_SRC, src}});
      primitive_bytes = std::max(primitive_bytes, backward_.scratchpad_bytes());
    }
    primitive_scratch_ = scratchpad_.take(primitive_bytes);
    if (wants_diff_src) addend_ = scratchpad_.take(src_.bytes());
  }

  MemoryNeed memory() const override { return {.scratchpad = scratchpad_.bytes(), .backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    forward_.run({{DNNL_ARG_SRC, args.src[0]}, {DNNL_ARG_DST, args.dst}},
                 at<void>(args.scratchpad, primitive_scratch_));
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
    void* diff_src = accumulates ? at<void>(args.scratchpad, addend_) : args.diff_src[0];
    backward_.run({{DNNL_ARG_DIFF_DST, args.diff_dst}, {DNNL_ARG_DIFF_SRC, diff_src}},
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

constinit const Implementation kOnednnGlobalAveragePool = {
    "onednn", "vendor", onednn::supports_by_making<onednn::GlobalAveragePoolKernel, GlobalAveragePool2d>,
    onednn::make_kernel<onednn::GlobalAveragePoolKernel, GlobalAveragePool2d>};

}  // namespace cudacards
