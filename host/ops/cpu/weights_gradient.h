#pragma once
// diff_weights and diff_bias of a pooled convolution from the winners alone, a picture at a time.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "host/ops/cpu/pooled_conv.h"
#include "host/ops/operation.h"

namespace cudacards::cpu {

/// diff_weights[k][r][s][c] += d * src[h + r - 1][w + s - 1][c] for every winner (h, w, k) with gradient d. Each thread
/// adds its pictures to sums of its own, in an order of its own that keeps them in registers for long; finish() brings
/// them together.
class WeightsGradient {
 public:
  explicit WeightsGradient(const PooledConv& conv) : conv_(conv) {}
  virtual ~WeightsGradient() = default;

  /// Of one thread.
  virtual std::size_t scratch_bytes() const = 0;
  std::int64_t sum_elements() const { return conv_.weight_elements() + conv_.k; }

  /// One picture. src (H,W,C), diff_dst and winners (H/2, W/2, K).
  virtual void add(const float* src, const float* diff_dst, const std::uint8_t* winners, float* sums,
                   void* scratch) const = 0;
  virtual void add(const Bf16* src, const Bf16* diff_dst, const std::uint8_t* winners, float* sums,
                   void* scratch) const = 0;

  /// The sums of `threads` threads, `stride` elements apart, added in order -> (K,3,3,C) and, where not null, (K).
  void finish(const float* sums, int threads, std::int64_t stride, GradMode mode, float* diff_weights,
              float* diff_bias) const;

 protected:
  /// Where the sum of weight (k, r, s, c) is, with tap = (k * 3 + r) * 3 + s.
  virtual std::int64_t place_of(std::int64_t tap, int c) const = 0;

  const PooledConv conv_;
};

std::unique_ptr<WeightsGradient> make_weights_gradient(const PooledConv& conv);

/// C a multiple of 16: for each filter, vectors of channels around the places that it won.
std::unique_ptr<WeightsGradient> make_sparse_weights_gradient(const PooledConv& conv);
/// C = 1 or 3, a first layer: for each tap, vectors of filters that pick their pixel of the window's four.
std::unique_ptr<WeightsGradient> make_narrow_weights_gradient(const PooledConv& conv);

}  // namespace cudacards::cpu
