#pragma once
// A convolution in strips of rows, one strip a thread at a time, so that what comes behind it finds the result in the
// cache.

#include <cstddef>
#include <vector>

#include "host/ops/vendor/onednn_common.h"

namespace cudacards::onednn {

/// Rows [first, first + rows) of the convolution's result, and the source rows that they need. Zeros above and below
/// the picture are the strip's own padding.
struct Strip {
  int first = 0, rows = 0;
  int src_first = 0, src_rows = 0;
  int pad_top = 0, pad_bottom = 0;
};

/// Strips of at most `rows` rows that cover [0, total) of the result.
std::vector<Strip> strips_of(const Conv2dProblem& problem, int total, int rows);

/// src (src_rows,W,C) of one picture -> dst (rows,Q,K) fp32, bias included. Primitives that run on the calling thread
/// alone; `threads` of them may run at once.
class StripConvolution {
 public:
  StripConvolution(const Conv2dProblem& problem, bool has_bias, memory::data_type type, std::vector<Strip> strips,
                   int threads);

  const std::vector<Strip>& strips() const { return strips_; }
  const memory::desc& weights_desc() const { return weights_; }
  /// Of one thread.
  std::size_t scratchpad_bytes() const { return scratchpad_bytes_; }
  void run(int thread, std::size_t strip, const void* src, const void* weights, const float* bias, float* dst,
           void* scratchpad);

 private:
  bool has_bias_;
  std::vector<Strip> strips_;
  memory::desc weights_;
  std::size_t scratchpad_bytes_ = 0;
  std::vector<std::vector<Call>> calls_;  // a thread, a strip
};

}  // namespace cudacards::onednn
