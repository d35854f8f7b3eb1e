// Convolution over the whole batch by oneDNN: any kernel, stride, padding and groups.

#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_affine.h"

namespace cudacards {
namespace onednn {
namespace {

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

Conv2dProblem unpooled(const Conv2d& conv, const Problem& problem) {
  if (conv.pool) throw Refused("a max pool is fused behind it");
  if (problem.src[0].type != problem.dst.type) throw Refused("src and dst differ in type");
  return conv.problem(problem.src[0].shape);
}

class Conv2dKernel final : public AffineKernel {
 public:
  Conv2dKernel(const Conv2d& conv, const Problem& problem) : Conv2dKernel(unpooled(conv, problem), conv, problem) {}

 private:
  Conv2dKernel(const Conv2dProblem& c, const Conv2d& conv, const Problem& problem)
      : AffineKernel(problem, c.weight_elements(), conv.options.activation, conv.options.bias, c.k) {
    const memory::desc master = krsc_desc(c, memory::data_type::f32);
    const memory::desc weights = any_weights_desc(c, src_type()), bias = bias_desc();
    const memory::desc src = nhwc_desc(c.n, c.h, c.w, c.c, src_type()),
                       dst = nhwc_desc(c.n, c.p(), c.q(), c.k, dst_type());
    const memory::dims strides = {c.stride_h, c.stride_w}, before = {c.pad.top, c.pad.left},
                       after = {c.pad.bottom, c.pad.right};
    const auto kind = problem.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const auto forward = describe<dnnl::convolution_forward>(plan_memory(), kind, kDirect, src, weights, bias, dst,
                                                             strides, before, after);
    use_forward(dnnl::convolution_forward(forward), forward, master);
    // oneDNN 2.6 takes it on, and with bf16 adds what was never written: NaN in the gradient of 48 filters, 2 x 1 pixels.
    if (wants_diff_parameters() && c.groups > 1 && c.w < c.s) throw Refused("the picture is narrower than the kernel");
    if (wants_diff_parameters() && is_pointwise(c) && src_type() == memory::data_type::bf16) {
      use_product_for_diff_weights(c);
    } else if (wants_diff_parameters()) {
      const memory::desc diff_weights = any_weights_desc(c, memory::data_type::f32);
      const auto pd = describe_backward<dnnl::convolution_backward_weights>(
          plan_memory(), forward, kDirect, src, diff_weights, bias, dst, strides, before, after);
      use_backward_weights(dnnl::convolution_backward_weights(pd), pd, master);
    }
    if (wants_diff_src()) {
      const auto pd = describe_backward<dnnl::convolution_backward_data>(plan_memory(), forward, kDirect, src, weights,
                                                                         dst, strides, before, after);
      use_backward_data(dnnl::convolution_backward_data(pd), pd, master);
    }
    lay_out_memory();
  }

  /// A dense layer over pixels. (One of stride 1 has nothing to pad.)
  static bool is_pointwise(const Conv2dProblem& c) {
    return c.r == 1 && c.s == 1 && c.stride_h == 1 && c.stride_w == 1 && c.groups == 1;
  }

  /// diff_weights (K,C) = diff_dst (N*P*Q,K)^T * src (N*P*Q,C). As a convolution in bf16, oneDNN 2.6 takes 30 times as
  /// long: 3,634 ms against 123 for the 34 layers of mobilenetv2 at 0.35/224, batch 32 (2 threads of a busy machine).
  void use_product_for_diff_weights(const Conv2dProblem& c) {
    const std::int64_t pixels = std::int64_t{c.n} * c.h * c.w;
    const memory::desc src = dense_desc({pixels, c.c}, src_type()), dst = dense_desc({pixels, c.k}, dst_type());
    const memory::desc weights({c.k, c.c}, src_type(), memory::format_tag::any);
    const memory::desc diff_weights({c.k, c.c}, memory::data_type::f32, memory::format_tag::any);
    const auto forward = describe<dnnl::inner_product_forward>(plan_memory(), dnnl::prop_kind::forward_training, src,
                                                               weights, bias_desc(), dst);
    const auto pd = describe_backward<dnnl::inner_product_backward_weights>(plan_memory(), forward, src, diff_weights,
                                                                            bias_desc(), dst);
    use_backward_weights(dnnl::inner_product_backward_weights(pd), pd, dense_desc({c.k, c.c}, memory::data_type::f32));
  }
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnConv2d = {"onednn", "vendor",
                                                onednn::supports_by_making<onednn::Conv2dKernel, Conv2d>,
                                                onednn::make_kernel<onednn::Conv2dKernel, Conv2d>};

}  // namespace cudacards
