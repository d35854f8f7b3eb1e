// Convolution 3 x 3, bias, activation and 2 x 2 max pool as one operation.
// Forward: each thread takes strips of rows; oneDNN convolves a strip into the thread's second cache, and the pool
// reads it from there, so that the full-size result, the largest tensor of the step, never reaches memory. Backward:
// only the winners of the pool carry a gradient, and only those are multiplied (host/ops/cpu): a quarter of the dense
// work, less where the activation or a dropout has blocked some.

#include <algorithm>
#include <memory>
#include <optional>

#include "host/ops/cpu/data_gradient.h"
#include "host/ops/cpu/pool_rows.h"
#include "host/ops/cpu/weights_gradient.h"
#include "host/ops/ops.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"
#include "host/ops/vendor/onednn_conv_strips.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace onednn {
namespace {

constexpr std::int64_t kStripBytes = 768 * 1024;  // of convolution results: well inside a second cache of 1 to 2 MB

/// bf16 pictures are multiplied as bf16 where the processor can, else as fp32: emulation would be slower than
/// converting.
bool multiplies_bf16() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto bf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & bf16) == bf16;
}

void refuse_unless_pooled_3x3(const Conv2d& conv, const Problem& problem) {
  if (!conv.pool) throw Refused("no max pool behind it");
  if (conv.pool->window != Extent2d(2) || conv.pool->step() != Extent2d(2))
    throw Refused("the pool is not 2 x 2 by steps of 2");
  const Conv2dProblem c = conv.problem(problem.src[0].shape);
  if (c.r != 3 || c.s != 3 || c.stride_h != 1 || c.stride_w != 1 || c.groups != 1 || c.pad != Padding2d{1, 1, 1, 1}) {
    throw Refused("the convolution is not 3 x 3, stride 1, same padding, one group");
  }
  if (problem.src[0].type != problem.dst.type) throw Refused("src and dst differ in type");
  if (problem.dst.type == DType::kU8) throw Refused("needs fp32 or bf16");
}

class Conv2dPoolKernel final : public Kernel {
 public:
  Conv2dPoolKernel(const Conv2d& conv, const Problem& problem)
      : conv_(checked_problem(conv, problem)),
        picture_{conv_.h, conv_.w, conv_.c, conv_.k},
        activation_(conv.options.activation),
        has_bias_(conv.options.bias),
        type_(problem.dst.type),
        converts_src_(type_ == DType::kBf16 && !multiplies_bf16()),
        training_(problem.training),
        threads_(problem.threads),
        forward_(conv_, has_bias_, type_of(converts_src_ ? DType::kF32 : type_),
                 strips_of(conv_, 2 * picture_.pooled_h(), rows_of_strip()), threads_),
        pack_(krsc_desc(conv_, memory::data_type::f32), forward_.weights_desc()) {
    const bool wants_weights = training_ && problem.diff_parameters_wanted,
               wants_src = training_ && problem.diff_src_wanted[0];
    if (wants_weights || wants_src) {
      if (const Verdict v = cpu::supports_sparse_gradients(picture_); !v) throw Refused(v.reason());
    }
    if (wants_src && conv_.c % cpu::kLanes != 0) throw Refused("diff_src is wanted of too few channels");
    if (wants_weights) weights_gradient_ = cpu::make_weights_gradient(picture_);
    if (wants_src) data_gradient_ = cpu::make_sparse_data_gradient(picture_);
    lay_out_memory();
  }

  MemoryNeed memory() const override {
    const auto winners = static_cast<std::size_t>(conv_.n * picture_.dst_elements());
    return {.workspace = training_ ? winners : 0,
            .scratchpad =
                std::max({forward_thread_.bytes() * static_cast<std::size_t>(threads_),
                          backward_thread_.bytes() * static_cast<std::size_t>(threads_), pack_.scratchpad_bytes()}),
            .packed = packed_.bytes(),
            .backward_reads_src = weights_gradient_ != nullptr,
            .backward_reads_dst = false};
  }

  void forward(const ForwardArgs& args) override {
    if (args.step.parameters_changed || !packed_once_) {
      pack_.run(args.parameters[0], at<void>(args.packed, packed_forward_), args.scratchpad);
      if (data_gradient_) data_gradient_->pack(args.parameters[0], at<float>(args.packed, packed_backward_));
      packed_once_ = true;
    }
    if (type_ == DType::kBf16) {
      convolve_and_pool<Bf16>(args);
    } else {
      convolve_and_pool<float>(args);
    }
  }

  void backward(const BackwardArgs& args) override {
    if (type_ == DType::kBf16) {
      differentiate<Bf16>(args);
    } else {
      differentiate<float>(args);
    }
  }

 private:
  static Conv2dProblem checked_problem(const Conv2d& conv, const Problem& problem) {
    refuse_unless_pooled_3x3(conv, problem);
    return conv.problem(problem.src[0].shape);
  }

  /// An even number of convolution rows, so that strips are whole rows of windows, about equal in size.
  int rows_of_strip() const {
    const std::int64_t row_bytes = std::int64_t{2} * conv_.q() * conv_.k * static_cast<std::int64_t>(sizeof(float));
    const auto most = static_cast<int>(std::clamp<std::int64_t>(kStripBytes / row_bytes, 1, picture_.pooled_h()));
    const int strips = (picture_.pooled_h() + most - 1) / most;
    return 2 * ((picture_.pooled_h() + strips - 1) / strips);
  }

  void lay_out_memory() {
    packed_forward_ = packed_.take(pack_.bytes());
    if (data_gradient_)
      packed_backward_ = packed_.take(static_cast<std::size_t>(conv_.weight_elements()) * sizeof(float));

    std::int64_t src_rows = 0;
    for (const Strip& s : forward_.strips()) src_rows = std::max<std::int64_t>(src_rows, s.src_rows);
    unpooled_ = forward_thread_.take(static_cast<std::size_t>(rows_of_strip()) * static_cast<std::size_t>(conv_.q()) *
                                     static_cast<std::size_t>(conv_.k) * sizeof(float));
    if (converts_src_)
      wide_src_ = forward_thread_.take(static_cast<std::size_t>(src_rows * conv_.w * conv_.c) * sizeof(float));
    primitive_scratch_ = forward_thread_.take(forward_.scratchpad_bytes());

    if (weights_gradient_) {
      sums_ = backward_thread_.take(static_cast<std::size_t>(weights_gradient_->sum_elements()) * sizeof(float));
      weights_scratch_ = backward_thread_.take(weights_gradient_->scratch_bytes());
    }
    if (data_gradient_) data_scratch_ = backward_thread_.take(data_gradient_->scratch_bytes());
  }

  template <class T>
  void convolve_and_pool(const ForwardArgs& args) {
    const auto* src = static_cast<const T*>(args.src[0]);
    const void* weights = pack_.is_identity() ? args.parameters[0] : at<const void>(args.packed, packed_forward_);
    const float* bias = has_bias_ ? args.parameters[1] : nullptr;
    const auto strips = static_cast<std::int64_t>(forward_.strips().size());
    parallel_ranges(conv_.n * strips, [&](std::int64_t begin, std::int64_t end, int thread) {
      void* mine = at<void>(args.scratchpad, static_cast<std::size_t>(thread) * forward_thread_.bytes());
      auto* unpooled = at<float>(mine, unpooled_);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t n = i / strips;
        const Strip& strip = forward_.strips()[static_cast<std::size_t>(i % strips)];
        const void* rows = src + (n * conv_.h + strip.src_first) * conv_.w * conv_.c;
        if (converts_src_) {
          auto* wide = at<float>(mine, wide_src_);
          const std::int64_t count = std::int64_t{strip.src_rows} * conv_.w * conv_.c;
          for (std::int64_t e = 0; e < count; ++e) wide[e] = static_cast<float>(static_cast<const T*>(rows)[e]);
          rows = wide;
        }
        forward_.run(thread, static_cast<std::size_t>(i % strips), rows, weights, bias, unpooled,
                     at<void>(mine, primitive_scratch_));
        const std::int64_t place =
            n * picture_.dst_elements() + std::int64_t{strip.first / 2} * picture_.pooled_w() * conv_.k;
        auto* winners = training_ && args.workspace ? static_cast<std::uint8_t*>(args.workspace) + place : nullptr;
        cpu::pool_rows(unpooled, strip.rows / 2, conv_.q(), conv_.k, activation_, static_cast<T*>(args.dst) + place,
                       winners);
      }
    });
  }

  template <class T>
  void differentiate(const BackwardArgs& args) {
    const GradMode src_mode = data_gradient_ ? args.diff_src_mode[0] : GradMode::kIgnore;
    const GradMode weights_mode = weights_gradient_ ? args.diff_parameters_mode : GradMode::kIgnore;
    const auto* winners = static_cast<const std::uint8_t*>(args.workspace);
    parallel_ranges(conv_.n, [&](std::int64_t begin, std::int64_t end, int thread) {
      void* mine = at<void>(args.scratchpad, static_cast<std::size_t>(thread) * backward_thread_.bytes());
      if (weights_mode != GradMode::kIgnore)
        std::fill_n(at<float>(mine, sums_), weights_gradient_->sum_elements(), 0.0f);
      for (std::int64_t n = begin; n < end; ++n) {
        const T* diff_dst = static_cast<const T*>(args.diff_dst) + n * picture_.dst_elements();
        const std::uint8_t* won = winners + n * picture_.dst_elements();
        if (weights_mode != GradMode::kIgnore) {
          const T* src = static_cast<const T*>(args.src[0]) + n * picture_.src_elements();
          weights_gradient_->add(src, diff_dst, won, at<float>(mine, sums_), at<void>(mine, weights_scratch_));
        }
        if (src_mode != GradMode::kIgnore) {
          T* diff_src = static_cast<T*>(args.diff_src[0]) + n * picture_.src_elements();
          data_gradient_->run(diff_dst, won, at<const float>(args.packed, packed_backward_), src_mode, diff_src,
                              at<void>(mine, data_scratch_));
        }
      }
    });
    if (weights_mode == GradMode::kIgnore) return;
    const auto stride = static_cast<std::int64_t>(backward_thread_.bytes() / sizeof(float));
    const int parts = static_cast<int>(std::min<std::int64_t>(threads(), conv_.n));
    weights_gradient_->finish(at<const float>(args.scratchpad, sums_), parts, stride, weights_mode,
                              args.diff_parameters[0], has_bias_ ? args.diff_parameters[1] : nullptr);
  }

  const Conv2dProblem conv_;
  const cpu::PooledConv picture_;
  const Activation activation_;
  const bool has_bias_;
  const DType type_;
  const bool converts_src_, training_;
  const int threads_;
  StripConvolution forward_;
  Reorder pack_;
  bool packed_once_ = false;
  std::unique_ptr<cpu::WeightsGradient> weights_gradient_;
  std::unique_ptr<cpu::DataGradient> data_gradient_;

  Layout packed_, forward_thread_, backward_thread_;  // the last two are of one thread
  std::size_t packed_forward_ = 0, packed_backward_ = 0;
  std::size_t unpooled_ = 0, wide_src_ = 0, primitive_scratch_ = 0;
  std::size_t sums_ = 0, weights_scratch_ = 0, data_scratch_ = 0;
};

}  // namespace
}  // namespace onednn

constinit const Implementation kOnednnConv2dPool = {"onednn:pool-fused", "vendor",
                                                    onednn::supports_by_making<onednn::Conv2dPoolKernel, Conv2d>,
                                                    onednn::make_kernel<onednn::Conv2dPoolKernel, Conv2d>};

}  // namespace cudacards
