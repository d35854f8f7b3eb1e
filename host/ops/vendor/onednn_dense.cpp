// Fully connected layer by oneDNN's inner product. In fp32 the master weights (out,in) are read and their gradient is
// written in place; bf16 packs a copy.

#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_affine.h"

namespace cudacards {
namespace onednn {
namespace {

class DenseKernel final : public AffineKernel {
 public:
  DenseKernel(const Dense& dense, const Problem& problem)
      : AffineKernel(problem, problem.src[0].shape[1] * dense.units, dense.activation, dense.bias, dense.units) {
    const auto f32 = memory::data_type::f32;
    const std::int64_t n = problem.src[0].shape[0], in = problem.src[0].shape[1];
    const memory::desc master = dense_desc({dense.units, in}, f32);
    // bf16 needs a copy in any case: oneDNN may choose its layout.
    const bool in_place = problem.src[0].type == DType::kF32;
    const memory::dims sizes = {dense.units, in};
    const memory::desc weights = in_place ? master : memory::desc(sizes, src_type(), memory::format_tag::any);
    const memory::desc src = dense_desc({n, in}, src_type()), dst = dense_desc({n, dense.units}, dst_type());
    const memory::desc bias = bias_desc();
    const auto kind = problem.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const auto forward = describe<dnnl::inner_product_forward>(plan_memory(), kind, src, weights, bias, dst);
    use_forward(dnnl::inner_product_forward(forward), forward, master);

    const memory::desc diff_dst =
        dense_desc({n, dense.units}, src_type());  // narrowed where dst is fp32 and src is not
    if (wants_diff_parameters()) {
      const memory::desc diff_weights = in_place ? master : memory::desc(sizes, f32, memory::format_tag::any);
      const auto pd = describe_backward<dnnl::inner_product_backward_weights>(plan_memory(), forward, src, diff_weights,
                                                                              bias, diff_dst);
      use_backward_weights(dnnl::inner_product_backward_weights(pd), pd, master);
    }
    if (wants_diff_src()) {
      const auto pd =
          describe_backward<dnnl::inner_product_backward_data>(plan_memory(), forward, src, weights, diff_dst);
      use_backward_data(dnnl::inner_product_backward_data(pd), pd, master);
    }
    lay_out_memory();
  }
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnDense = {"onednn", "vendor",
                                               onednn::supports_by_making<onednn::DenseKernel, Dense>,
                                               onednn::make_kernel<onednn::DenseKernel, Dense>};

}  // namespace cudacards
