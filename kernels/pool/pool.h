#pragma once
// Max, average and global average pool of NHWC pictures, forward and backward, fp32 and bf16. Sums are taken in fp32 in
// a fixed order. All tensors are 16-byte aligned.

#include <cstdint>

#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/pool/problem.h"
#include "kernels/pool/tuning.h"

namespace cudacards {

struct MaxPoolForwardArgs {
  const void* src = nullptr;  // (N,H,W,C)
  void* dst = nullptr;        // (N,P,Q,C)
  void* argmax = nullptr;     // (N,P,Q,C) of winner_bytes() each, kept for the backward pass: the winner's place in its
                              // window, counted in row order. Null: inference
};
struct MaxPoolBackwardArgs {
  const void* diff_dst = nullptr;  // (N,P,Q,C)
  const void* argmax = nullptr;    // as written forward
  void* diff_src = nullptr;        // (N,H,W,C)
  GradMode diff_src_mode = GradMode::kOverwrite;
};

/// dst = the largest of each window: the first of equals, and a NaN before any number (the first NaN of several).
Verdict max_pool_supports(const Pool2dProblem& problem, DType type);
Status max_pool_forward(const Pool2dProblem& problem, DType type, const MaxPoolForwardArgs& args, Stream stream,
                        const PoolTuning& tuning = kDefaultPoolTuning);
/// diff_src = the sum of diff_dst over the windows that the element won; 0 where it won none.
Status max_pool_backward(const Pool2dProblem& problem, DType type, const MaxPoolBackwardArgs& args, Stream stream,
                         const PoolTuning& tuning = kDefaultPoolTuning);

struct AveragePoolForwardArgs {
  const void* src = nullptr;  // (N,H,W,C)
  void* dst = nullptr;        // (N,P,Q,C)
};
struct AveragePoolBackwardArgs {
  const void* diff_dst = nullptr;  // (N,P,Q,C)
  void* diff_src = nullptr;        // (N,H,W,C)
  GradMode diff_src_mode = GradMode::kOverwrite;
};

/// dst = the mean of each window.
Verdict average_pool_supports(const Pool2dProblem& problem, DType type);
Status average_pool_forward(const Pool2dProblem& problem, DType type, const AveragePoolForwardArgs& args, Stream stream,
                            const PoolTuning& tuning = kDefaultPoolTuning);
/// diff_src = the sum of diff_dst over the windows that hold the element, divided by their size.
Status average_pool_backward(const Pool2dProblem& problem, DType type, const AveragePoolBackwardArgs& args,
                             Stream stream, const PoolTuning& tuning = kDefaultPoolTuning);

/// dst (N,C) = the mean of src (N, pixels, C) over the pixels; backward gives each pixel its share.
Verdict global_average_pool_supports(const GlobalPoolProblem& problem, DType type);
Status global_average_pool_forward(const GlobalPoolProblem& problem, DType type, const AveragePoolForwardArgs& args,
                                   Stream stream);
Status global_average_pool_backward(const GlobalPoolProblem& problem, DType type, const AveragePoolBackwardArgs& args,
                                    Stream stream, const PoolTuning& tuning = kDefaultPoolTuning);

}  // namespace cudacards
