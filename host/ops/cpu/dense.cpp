// Fully connected layer on AVX-512 for what oneDNN is slow at: weights of tens of megabytes and a batch of tens.

#include <fmt/format.h>

#include <algorithm>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/dense_products.h"
#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/ops.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace cpu {
namespace {

#if CUDACARDS_AVX512

// Measured on an AMD EPYC of family 26 (Zen 5), 100352 x 128, forward and backward against oneDNN's: 1.5 times as fast
// with 32 rows in fp32 and 2.8 in bf16, alike with 128 in fp32, 0.9 in bf16 with 256.
constexpr std::int64_t kLargestBatch = 128;
constexpr std::int64_t kSlabsOfAThread = 4;
constexpr double kSmallFlops = 32e6;  // of a forward pass: 0.1 ms of one thread, which is not worth sharing

DenseSizes sizes_of(const Dense& dense, const Problem& problem) {
  return {problem.src[0].shape[0], problem.src[0].shape[1], dense.units};
}

class DenseKernel final : public Kernel {
 public:
  DenseKernel(const Dense& dense, const Problem& problem)
      : sizes_(sizes_of(dense, problem)),
        activation_(dense.activation),
        has_bias_(dense.bias),
        src_type_(problem.src[0].type),
        dst_type_(problem.dst.type),
        wants_diff_src_(problem.training && problem.diff_src_wanted[0]),
        wants_diff_parameters_(problem.training && problem.diff_parameters_wanted),
        forward_(sizes_, problem.threads),
        backward_(sizes_, problem.threads) {}

  MemoryNeed memory() const override {
    const bool backward = wants_diff_src_ || wants_diff_parameters_;
    return {.scratchpad = std::max(forward_.scratch_bytes(), backward ? backward_.scratch_bytes() : 0),
            .backward_reads_src = wants_diff_parameters_,
            .backward_reads_dst = backward && activation_ != Activation::kNone};
  }

  void forward(const ForwardArgs& args) override {
    const float* sums = src_type_ == DType::kBf16
                            ? forward_.run(static_cast<const Bf16*>(args.src[0]), args.parameters[0], args.scratchpad)
                            : forward_.run(static_cast<const float*>(args.src[0]), args.parameters[0], args.scratchpad);
    const float* bias = has_bias_ ? args.parameters[1] : nullptr;
    if (dst_type_ == DType::kBf16) {
      finish(sums, bias, static_cast<Bf16*>(args.dst));
    } else {
      finish(sums, bias, static_cast<float*>(args.dst));
    }
  }

  void backward(const BackwardArgs& args) override {
    if (!wants_diff_src_ && !wants_diff_parameters_) return;
    if (dst_type_ == DType::kBf16) {
      backward_.take_diff(activation_, static_cast<const Bf16*>(args.dst), static_cast<const Bf16*>(args.diff_dst),
                          args.scratchpad);
    } else {
      backward_.take_diff(activation_, static_cast<const float*>(args.dst), static_cast<const float*>(args.diff_dst),
                          args.scratchpad);
    }
    if (src_type_ == DType::kBf16) {
      backward_.run(gradients<Bf16>(args), args.scratchpad);
    } else {
      backward_.run(gradients<float>(args), args.scratchpad);
    }
  }

 private:
  template <class D>
  void finish(const float* sums, const float* bias, D* dst) const {
    for (std::int64_t n = 0; n < sizes_.n; ++n) {
      for (std::int64_t unit = 0; unit < sizes_.units; ++unit) {
        const float sum = sums[n * forward_.pitch() + unit] + (bias ? bias[unit] : 0.0f);
        dst[n * sizes_.units + unit] = static_cast<D>(apply(activation_, sum));
      }
    }
  }

  template <class S>
  DenseGradients<S> gradients(const BackwardArgs& args) const {
    DenseGradients<S> g{.weights = args.parameters[0]};
    if (wants_diff_src_) {
      g.diff_src = static_cast<S*>(args.diff_src[0]);
      g.diff_src_mode = args.diff_src_mode[0];
    }
    if (wants_diff_parameters_) {
      g.src = static_cast<const S*>(args.src[0]);
      g.diff_weights = args.diff_parameters[0];
      g.diff_bias = has_bias_ ? args.diff_parameters[1] : nullptr;
      g.diff_parameters_mode = args.diff_parameters_mode;
    }
    return g;
  }

  const DenseSizes sizes_;
  const Activation activation_;
  const bool has_bias_;
  const DType src_type_, dst_type_;
  const bool wants_diff_src_, wants_diff_parameters_;
  const DenseForward forward_;
  const DenseBackward backward_;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  if (problem.src[0].type == DType::kU8 || problem.dst.type == DType::kU8) return Verdict::no("needs fp32 or bf16");
  const DenseSizes sizes = sizes_of(static_cast<const Dense&>(operation), problem);
  if (sizes.n > kLargestBatch) {
    return Verdict::no(fmt::format("N={}: reading the weights in place pays up to {}", sizes.n, kLargestBatch));
  }
  const std::int64_t slabs = DenseForward::slabs(sizes);
  const double flops = 2.0 * static_cast<double>(sizes.n * sizes.in) * static_cast<double>(sizes.units);
  if (problem.threads > 1 && slabs < kSlabsOfAThread * problem.threads && flops > kSmallFlops) {
    return Verdict::no(fmt::format("in={}: {} slabs are too few for {} threads", sizes.in, slabs, problem.threads));
  }
  return Verdict::yes();
}

std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  return make_kernel<DenseKernel, Dense>(operation, problem);
}

#else

constexpr auto supports = no_without_avx512;
constexpr auto make = none_without_avx512;

#endif

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuDense = {"vectorised", "hand", cpu::supports, cpu::make};

}  // namespace cudacards
