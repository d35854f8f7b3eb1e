// Depthwise convolution 3 x 3 on AVX-512, the rows shared out among the threads. Bound by memory: forward reads src and
// writes dst once; backward takes both gradients row by row, so that diff_dst comes from memory once and from the cache
// for the rest. oneDNN 2.6 makes two passes of backward, and three of bf16.

#include <algorithm>

#include "host/ops/cpu/depthwise_rows.h"
#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/cpu/with_activation.h"
#include "host/ops/ops.h"
#include "host/runtime/buffer.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace cpu {
namespace {

#if CUDACARDS_AVX512

constexpr std::int64_t kTaps = 9;

class DepthwiseKernel final : public Kernel {
 public:
  DepthwiseKernel(const Conv2d& conv, const Problem& problem)
      : conv_(conv.problem(problem.src[0].shape)),
        activation_(conv.options.activation),
        has_bias_(conv.options.bias),
        type_(problem.dst.type),
        wants_diff_src_(problem.training && problem.diff_src_wanted[0]),
        wants_diff_parameters_(problem.training && problem.diff_parameters_wanted),
        threads_(std::max(1, problem.threads)) {}

  MemoryNeed memory() const override {
    return {.scratchpad = wants_diff_parameters_ ? sums_bytes() * static_cast<std::size_t>(threads_) : 0,
            .packed = taps_bytes() * (wants_diff_src_ ? 2 : 1),
            .backward_reads_src = wants_diff_parameters_};
  }

  void forward(const ForwardArgs& args) override {
    if (args.step.parameters_changed || !packed_once_) {
      pack(args.parameters[0], static_cast<float*>(args.packed));
      packed_once_ = true;
    }
    if (type_ == DType::kBf16) return convolve<Bf16>(args);
    convolve<float>(args);
  }

  void backward(const BackwardArgs& args) override {
    if (type_ == DType::kBf16) return differentiate<Bf16>(args);
    differentiate<float>(args);
  }

 private:
  std::int64_t channels() const { return conv_.c; }
  std::size_t taps_bytes() const { return align_up(static_cast<std::size_t>(kTaps * channels()) * sizeof(float)); }
  std::size_t sums_bytes() const {
    return align_up(static_cast<std::size_t>((kTaps + 1) * channels()) * sizeof(float));
  }
  const float* turned_taps(const void* packed) const {
    return reinterpret_cast<const float*>(static_cast<const std::byte*>(packed) + taps_bytes());
  }

  /// (C,3,3) -> (3,3,C), and behind it the same turned by half a circle: diff_src is a convolution with that.
  void pack(const float* weights, float* packed) const {
    auto* turned = reinterpret_cast<float*>(reinterpret_cast<std::byte*>(packed) + taps_bytes());
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      for (std::int64_t c = 0; c < channels(); ++c) {
        packed[tap * channels() + c] = weights[c * kTaps + tap];
        if (wants_diff_src_) turned[(kTaps - 1 - tap) * channels() + c] = weights[c * kTaps + tap];
      }
    }
  }

  /// Calls body with the stride as a compile-time constant.
  template <class Body>
  void with_stride(Body body) const {
    if (conv_.stride_h == 1) return body(std::integral_constant<int, 1>());
    body(std::integral_constant<int, 2>());
  }

  template <class T>
  void rows_beneath(const T* picture, std::int64_t p, PixelRow<T> (&rows)[3]) const {
    for (int r = 0; r < 3; ++r)
      rows[r] = row_of(picture, p * conv_.stride_h - conv_.pad.top + r, conv_.h, conv_.w, channels());
  }

  template <class T>
  void convolve(const ForwardArgs& args) const {
    const auto* src = static_cast<const T*>(args.src[0]);
    auto* dst = static_cast<T*>(args.dst);
    const auto* taps = static_cast<const float*>(args.packed);
    const float* bias = has_bias_ ? args.parameters[1] : nullptr;
    with_activation(activation_, [&](auto kind) {
      with_stride([&](auto stride) {
        parallel_ranges(std::int64_t{conv_.n} * conv_.p(), [&](std::int64_t begin, std::int64_t end, int) {
          for (std::int64_t i = begin; i < end; ++i) {
            PixelRow<T> rows[3];
            rows_beneath(src + i / conv_.p() * picture_elements(), i % conv_.p(), rows);
            convolve_row<stride(), decltype(kind)::value>(rows, conv_.w, conv_.pad.left, conv_.q(), channels(), taps,
                                                          bias, false, dst + i * conv_.q() * channels());
          }
        });
      });
    });
  }

  std::int64_t picture_elements() const { return std::int64_t{conv_.h} * conv_.w * channels(); }
  std::int64_t diff_picture_elements() const { return std::int64_t{conv_.p()} * conv_.q() * channels(); }

  template <class T>
  void differentiate(const BackwardArgs& args) const {
    const bool takes_src = wants_diff_src_ && args.diff_src_mode[0] != GradMode::kIgnore;
    const bool takes_weights = wants_diff_parameters_ && args.diff_parameters_mode != GradMode::kIgnore;
    const auto* diff_dst = static_cast<const T*>(args.diff_dst);
    const std::int64_t rows = std::int64_t{conv_.n} * conv_.p();
    if (takes_weights) std::fill_n(sums(args, 0), sums_bytes() / sizeof(float) * static_cast<std::size_t>(threads_), 0);
    with_stride([&](auto stride) {
      parallel_ranges(rows, [&](std::int64_t begin, std::int64_t end, int thread) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t n = i / conv_.p(), p = i % conv_.p();
          if (takes_src) {
            T* diff_src = static_cast<T*>(args.diff_src[0]) + n * picture_elements();
            const T* diff = diff_dst + n * diff_picture_elements();
            // The rows of src that come with this row of dst: those up to the next one's, the last has all that is left.
            const std::int64_t end_row = p + 1 == conv_.p() ? conv_.h : (p + 1) * stride;
            for (std::int64_t h = p * stride; h < end_row; ++h)
              diff_src_row<stride()>(args, diff, h, diff_src + h * conv_.w * channels());
          }
          if (takes_weights) {
            PixelRow<T> src[3];
            rows_beneath(static_cast<const T*>(args.src[0]) + n * picture_elements(), p, src);
            add_taps_gradient<stride()>(src, conv_.w, conv_.pad.left, conv_.q(), channels(),
                                        diff_dst + i * conv_.q() * channels(), sums(args, thread));
          }
        }
      });
    });
    if (takes_weights) finish_weights(args);
  }

  template <int kStride, class T>
  void diff_src_row(const BackwardArgs& args, const T* diff, std::int64_t h, T* result) const {
    const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
    const auto diff_row = [&](std::int64_t p) { return row_of(diff, p, conv_.p(), conv_.q(), channels()); };
    if constexpr (kStride == 1) {
      const PixelRow<T> rows[3] = {diff_row(h - 2 + conv_.pad.top), diff_row(h - 1 + conv_.pad.top),
                                   diff_row(h + conv_.pad.top)};
      convolve_row<1, Activation::kNone>(rows, conv_.q(), 2 - conv_.pad.left, conv_.w, channels(),
                                         turned_taps(args.packed), nullptr, accumulates, result);
    } else {
      const auto* taps = static_cast<const float*>(args.packed);
      const std::int64_t below = h + conv_.pad.top;  // = 2 p + r
      if (below % 2 == 1) {
        const Reached<T> reached[2] = {{diff_row(below / 2), 1}};
        return spread_row<1>(reached, conv_.q(), conv_.pad.left, conv_.w, channels(), taps, accumulates, result);
      }
      const Reached<T> reached[2] = {{diff_row(below / 2), 0}, {diff_row(below / 2 - 1), 2}};
      spread_row<2>(reached, conv_.q(), conv_.pad.left, conv_.w, channels(), taps, accumulates, result);
    }
  }

  float* sums(const BackwardArgs& args, std::int64_t thread) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(args.scratchpad) +
                                    static_cast<std::size_t>(thread) * sums_bytes());
  }

  /// The threads' sums in order: (10,C) -> diff_weights (C,3,3), diff_bias (C).
  void finish_weights(const BackwardArgs& args) const {
    const auto put_total = [&](std::int64_t element, float& result) {
      float sum = 0;
      for (std::int64_t thread = 0; thread < threads_; ++thread) sum += sums(args, thread)[element];
      result = args.diff_parameters_mode == GradMode::kAccumulate ? result + sum : sum;
    };
    for (std::int64_t c = 0; c < channels(); ++c) {
      for (std::int64_t tap = 0; tap < kTaps; ++tap)
        put_total(tap * channels() + c, args.diff_parameters[0][c * kTaps + tap]);
      if (has_bias_) put_total(kTaps * channels() + c, args.diff_parameters[1][c]);
    }
  }

  const Conv2dProblem conv_;
  const Activation activation_;
  const bool has_bias_;
  const DType type_;
  const bool wants_diff_src_, wants_diff_parameters_;
  const std::int64_t threads_;
  bool packed_once_ = false;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (conv.pool) return Verdict::no("a max pool is fused behind it");
  const Conv2dProblem c = conv.problem(problem.src[0].shape);
  if (c.groups != c.c || c.k != c.c || c.groups == 1) return Verdict::no("not one filter a channel");
  if (c.r != 3 || c.s != 3 || c.stride_h != c.stride_w || c.stride_h > 2)
    return Verdict::no("not 3 x 3, stride 1 or 2");
  if (c.c % 16 != 0) return Verdict::no("channels are not a multiple of 16");
  if (conv.options.activation != Activation::kNone && problem.training &&
      (problem.diff_src_wanted[0] || problem.diff_parameters_wanted)) {
    return Verdict::no("the gradient of an activation behind it is wanted");
  }
  return supports_one_type(operation, problem);
}

std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  return make_kernel<DepthwiseKernel, Conv2d>(operation, problem);
}

#else

constexpr auto supports = no_without_avx512;
constexpr auto make = none_without_avx512;

#endif

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuDepthwise = {"vectorised", "hand", cpu::supports, cpu::make};

}  // namespace cudacards
