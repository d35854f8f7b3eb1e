#pragma once
// diff_src of a pooled convolution from the winners alone, a picture at a time.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "host/ops/cpu/pooled_conv.h"
#include "host/ops/operation.h"

namespace cudacards::cpu {

/// diff_src[h + r - 1][w + s - 1][c] += d * weights[k][r][s][c] for every winner (h, w, k) with gradient d.
class DataGradient {
 public:
  explicit DataGradient(const PooledConv& conv) : conv_(conv) {}
  virtual ~DataGradient() = default;

  /// Of one thread.
  virtual std::size_t scratch_bytes() const = 0;
  /// weights (K,3,3,C) -> packed (C/16, K, 3, 3, 16).
  void pack(const float* weights, float* packed) const;

  /// One picture. diff_dst and winners (H/2, W/2, K), diff_src (H,W,C).
  virtual void run(const float* diff_dst, const std::uint8_t* winners, const float* packed, GradMode mode,
                   float* diff_src, void* scratch) const = 0;
  virtual void run(const Bf16* diff_dst, const std::uint8_t* winners, const float* packed, GradMode mode,
                   Bf16* diff_src, void* scratch) const = 0;

 protected:
  const PooledConv conv_;
};

/// Needs C to be a multiple of 16.
std::unique_ptr<DataGradient> make_sparse_data_gradient(const PooledConv& conv);

}  // namespace cudacards::cpu
