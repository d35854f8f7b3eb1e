// Convolution over the whole batch by oneDNN: any kernel, stride, padding and groups. Of a 1 x 1 convolution between few
// channels and many those products that widen, and the gradient of the weights, are taken by hand.

#include <optional>

#include "host/ops/cpu/pointwise_products.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_affine.h"

namespace cudacards {
namespace onednn {
namespace {

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

// Up to so many of the fewer channels are multiplied by hand in bf16, where oneDNN has matrix instructions: measured on 2
// cores of a Xeon with AMX (family 6, model 207), the layers of mobilenetv2 at 0.35/224, batch 32. In fp32, and where it
// spares a pass for the activation, as many as there are functions for.
constexpr int kMostNarrowInBf16 = 24;

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
      : AffineKernel(problem, c.weight_elements(), conv.options.activation, conv.options.bias, c.k),
        activation_(conv.options.activation),
        has_bias_(conv.options.bias) {
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
    choose_products(c);
    const auto floats = static_cast<std::size_t>(c.weight_elements()) * sizeof(float);
    lay_out_memory(by_hand_ && widens_ ? floats : 0, by_hand_ ? floats * static_cast<std::size_t>(problem.threads) : 0);
  }

  void choose_products(const Conv2dProblem& c) {
    if (!is_pointwise(c)) return;
    const cpu::PointwiseSizes sizes{std::int64_t{c.n} * c.h * c.w, std::min(c.c, c.k), std::max(c.c, c.k)};
    const bool spares_pass = activation_ != Activation::kNone && c.k >= c.c;
    if (src_type() == memory::data_type::bf16 && sizes.narrow > kMostNarrowInBf16 && !spares_pass) return;
    if (!cpu::supports_pointwise_products(sizes)) return;
    by_hand_ = sizes;
    widens_ = c.k >= c.c;
  }

  /// Calls body with the type of both tensors; false where they differ.
  template <class Body>
  bool with_type(Body body) const {
    if (src_type() != dst_type()) return false;
    if (src_type() == memory::data_type::bf16) {
      body(Bf16());
    } else {
      body(float());
    }
    return true;
  }

  /// (K,C) = (wide, narrow) -> (narrow, wide).
  void pack(const float* weights, void* own_packed) const override {
    if (!by_hand_ || !widens_) return;
    auto* packed = static_cast<float*>(own_packed);
    for (std::int64_t n = 0; n < by_hand_->narrow; ++n) {
      for (std::int64_t w = 0; w < by_hand_->wide; ++w)
        packed[n * by_hand_->wide + w] = weights[w * by_hand_->narrow + n];
    }
  }

  bool multiply(const ForwardArgs& args, const void* own_packed) const override {
    if (!by_hand_ || !widens_) return false;
    return with_type([&](auto value) {
      using T = decltype(value);
      cpu::widen(*by_hand_, static_cast<const T*>(args.src[0]), static_cast<const float*>(own_packed),
                 has_bias_ ? args.parameters[1] : nullptr, activation_, GradMode::kOverwrite,
                 static_cast<T*>(args.dst));
    });
  }

  bool multiply_diff_src(const BackwardArgs& args, const void* diff_dst, const void*) const override {
    if (!by_hand_ || widens_) return false;
    return with_type([&](auto value) {
      using T = decltype(value);
      cpu::widen(*by_hand_, static_cast<const T*>(diff_dst), args.parameters[0], nullptr, Activation::kNone,
                 args.diff_src_mode[0], static_cast<T*>(args.diff_src[0]));
    });
  }

  bool multiply_diff_weights(const BackwardArgs& args, const void* diff_dst, void* own_scratch) const override {
    if (!by_hand_ || has_bias_) return false;
    auto* sums = static_cast<float*>(own_scratch);  // (narrow, wide)
    const void* narrow = widens_ ? args.src[0] : diff_dst;
    const void* wide = widens_ ? diff_dst : args.src[0];
    const bool taken = with_type([&](auto value) {
      using T = decltype(value);
      cpu::add_outer_products(*by_hand_, static_cast<const T*>(narrow), static_cast<const T*>(wide), sums);
    });
    if (!taken) return false;
    const std::int64_t n_step = widens_ ? 1 : by_hand_->wide, w_step = widens_ ? by_hand_->narrow : 1;
    const bool accumulates = args.diff_parameters_mode == GradMode::kAccumulate;
    for (std::int64_t n = 0; n < by_hand_->narrow; ++n) {
      for (std::int64_t w = 0; w < by_hand_->wide; ++w) {
        float& diff = args.diff_parameters[0][n * n_step + w * w_step];
        diff = (accumulates ? diff : 0.0f) + sums[n * by_hand_->wide + w];
      }
    }
    return true;
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

  const Activation activation_;
  const bool has_bias_;
  std::optional<cpu::PointwiseSizes> by_hand_;
  bool widens_ = false;  // dst has the many channels
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnConv2d = {"onednn", "vendor",
                                                onednn::supports_by_making<onednn::Conv2dKernel, Conv2d>,
                                                onednn::make_kernel<onednn::Conv2dKernel, Conv2d>};

}  // namespace cudacards
