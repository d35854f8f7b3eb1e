#pragma once
// The first convolution of a network: few input channels, pictures as they are stored. The whole filter bank lies in
// shared memory.

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/conv2d/problem.h"

namespace cudacards {

/// src is read as scale[c] * src + offset[c]; the padding is 0 after that.
struct Conv2dDirectArgs {
  const void* src = nullptr;       // (N,H,W,C) of src_type: uint8, bf16 or fp32
  const float* weights = nullptr;  // (K,R,S,C), the fp32 masters
  const float* bias = nullptr;     // (K); may be null
  void* dst = nullptr;             // (N,P,Q,K) of dst_type: bf16 or fp32; 16-byte aligned
  Activation activation = Activation::kNone;
  float scale[3] = {1, 1, 1};
  float offset[3] = {0, 0, 0};
};

/// C = 1 or 3, R and S up to 7, stride 1 or 2, any K and padding.
Verdict conv2d_direct_supports(const Conv2dProblem& problem, DType src_type, DType dst_type);
Status conv2d_direct(const Conv2dProblem& problem, DType src_type, DType dst_type, const Conv2dDirectArgs& args,
                     Stream stream);

}  // namespace cudacards
