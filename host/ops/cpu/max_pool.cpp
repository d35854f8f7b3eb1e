// Max pool of any window and stride, vectorised over channels. oneDNN's own loses a NaN that is not the first of its
// window.

#include <algorithm>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/ops.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace cpu {
namespace {

constexpr int kBlock = 64;  // channels whose best values stay in registers

template <class T>
class MaxPoolKernel final : public Kernel {
 public:
  MaxPoolKernel(const MaxPool2d& pool, const Problem& problem)
      : pool_(pool.problem(problem.src[0].shape)), training_(problem.training), threads_(problem.threads) {}

  /// The winner of each window, counted in row order.
  MemoryNeed memory() const override {
    return {.workspace = training_ ? static_cast<std::size_t>(pool_.dst_elements()) : 0,
            .scratchpad = training_ ? static_cast<std::size_t>(threads_ * picture_elements()) * sizeof(float) : 0,
            .backward_reads_src = false};
  }

  void forward(const ForwardArgs& args) override {
    parallel_ranges(std::int64_t{pool_.n} * pool_.p(), [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t row = begin; row < end; ++row) {  // row = n * P + p
        for (int q = 0; q < pool_.q(); ++q) {
          for (int c = 0; c < pool_.c; c += kBlock) {
            pool_block(static_cast<const T*>(args.src[0]) + src_at(row, q) + c, std::min(kBlock, pool_.c - c),
                       static_cast<T*>(args.dst) + dst_at(row, q) + c,
                       training_ && args.workspace ? static_cast<std::uint8_t*>(args.workspace) + dst_at(row, q) + c
                                                   : nullptr);
          }
        }
      }
    });
  }

  // Window after window of a picture: windows may overlap, and their order is the order of the sum, which is taken in
  // fp32.
  void backward(const BackwardArgs& args) override {
    const GradMode mode = args.diff_src_mode[0];
    if (mode == GradMode::kIgnore) return;
    parallel_ranges(pool_.n, [&](std::int64_t begin, std::int64_t end, int thread) {
      float* sums = static_cast<float*>(args.scratchpad) + thread * picture_elements();
      for (std::int64_t n = begin; n < end; ++n) {
        std::fill_n(sums, picture_elements(), 0.0f);
        for (std::int64_t row = n * pool_.p(); row < (n + 1) * pool_.p(); ++row) {
          for (int q = 0; q < pool_.q(); ++q) {
            const std::uint8_t* winners = static_cast<const std::uint8_t*>(args.workspace) + dst_at(row, q);
            const T* diff_dst = static_cast<const T*>(args.diff_dst) + dst_at(row, q);
            float* window = sums + src_at(row, q) - n * picture_elements();
            for (int place = 0; place < pool_.window_h * pool_.window_w; ++place) {
              give_to_winners(place, winners, diff_dst, window + offset_of(place));
            }
          }
        }
        T* diff_src = static_cast<T*>(args.diff_src[0]) + n * picture_elements();
        for (std::int64_t i = 0; i < picture_elements(); ++i) {
          diff_src[i] =
              static_cast<T>(mode == GradMode::kAccumulate ? static_cast<float>(diff_src[i]) + sums[i] : sums[i]);
        }
      }
    });
  }

 private:
  std::int64_t picture_elements() const { return std::int64_t{pool_.h} * pool_.w * pool_.c; }
  std::int64_t src_at(std::int64_t row, int q) const {
    const std::int64_t n = row / pool_.p(), h = row % pool_.p() * pool_.stride_h;
    return ((n * pool_.h + h) * pool_.w + std::int64_t{q} * pool_.stride_w) * pool_.c;
  }
  std::int64_t dst_at(std::int64_t row, int q) const { return (row * pool_.q() + q) * pool_.c; }
  std::int64_t offset_of(int place) const {
    return (std::int64_t{place / pool_.window_w} * pool_.w + place % pool_.window_w) * pool_.c;
  }

  void pool_block(const T* __restrict window, int channels, T* __restrict dst, std::uint8_t* __restrict winners) const {
    float best[kBlock];
    std::int32_t winner[kBlock];
    for (int i = 0; i < channels; ++i) {
      best[i] = static_cast<float>(window[i]);
      winner[i] = 0;
    }
    for (int place = 1; place < pool_.window_h * pool_.window_w; ++place) {
      const T* __restrict x = window + offset_of(place);
      for (int i = 0; i < channels; ++i) {
        const auto value = static_cast<float>(x[i]);
        const bool wins = value > best[i] || ((value != value) & (best[i] == best[i]));
        best[i] = wins ? value : best[i];
        winner[i] = wins ? place : winner[i];
      }
    }
    for (int i = 0; i < channels; ++i) dst[i] = static_cast<T>(best[i]);
    if (!winners) return;
    for (int i = 0; i < channels; ++i) winners[i] = static_cast<std::uint8_t>(winner[i]);
  }

  void give_to_winners(int place, const std::uint8_t* __restrict winners, const T* __restrict diff_dst,
                       float* __restrict sums) const {
    for (int c = 0; c < pool_.c; ++c) sums[c] += winners[c] == place ? static_cast<float>(diff_dst[c]) : 0.0f;
  }

  const Pool2dProblem pool_;
  const bool training_;
  const int threads_;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  const Pool2dProblem pool = static_cast<const MaxPool2d&>(operation).problem(problem.src[0].shape);
  if (pool.window_h * pool.window_w > 256)
    return Verdict::no("windows of more than 256 elements: a winner is kept in a byte");
  return supports_one_type(operation, problem);
}

std::unique_ptr<Kernel> make(const Operation& operation, const Problem& problem) {
  if (problem.dst.type == DType::kBf16) return make_kernel<MaxPoolKernel<Bf16>, MaxPool2d>(operation, problem);
  return make_kernel<MaxPoolKernel<float>, MaxPool2d>(operation, problem);
}

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuMaxPool = {"vectorised", "hand", cpu::supports, cpu::make};

}  // namespace cudacards
