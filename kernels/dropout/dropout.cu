// dst[i] = keep(i) ? src[i] / (1 - rate) : 0
//
//   thread t:   | 4t | 4t+1 | 4t+2 | 4t+3 |      one Philox call gives four words: one thread, four neighbours,
//                 v0    v1     v2     v3         one 16-byte load and store in fp32, 8 bytes in bf16
//
// Moves 2 * elements * size bytes and keeps nothing for the backward pass, which draws the same words again: ten rounds
// of Philox are about 40 integer instructions for 16 or 32 bytes of traffic.

#include <algorithm>

#include "kernels/base/arrays.h"
#include "kernels/base/philox.h"
#include "kernels/dropout/dropout.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;  // the words of one Philox call
constexpr std::int64_t kMostBlocks = 1 << 16;

template <class T>
using Quad = Vec<T, kPerThread>;

/// Elements 4 quad ... 4 quad + 3 of src, times 0 or `scale`.
template <class T>
__device__ Quad<T> dropped(const Quad<T>& src, Random4 words, float rate, float scale) {
  Quad<T> dst;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i)
    dst[i] = from_float<T>(uniform01(words.v[i]) >= rate ? to_float(src[i]) * scale : 0.0f);
  return dst;
}

/// Grid-stride over quads; the thread of the last, ragged quad goes element by element.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(DropoutProblem p, float scale, const T* src, T* dst, const StepClock* clock) {
  const StepClock now = *clock;
  const std::int64_t quads = (p.elements + kPerThread - 1) / kPerThread;
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t quad = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; quad < quads; quad += stride) {
    const Random4 words =
        random4(now.seed, RandomPurpose::kDropout, now.number, p.node, static_cast<std::uint32_t>(quad));
    const std::int64_t first = quad * kPerThread;
    if (first + kPerThread <= p.elements) {
      store_vector(dst + first, dropped(load_vector<kPerThread>(src + first), words, p.rate, scale));
    } else {
      Quad<T> rest = {};
      const int count = static_cast<int>(p.elements - first);
      for (int i = 0; i < count; ++i) rest[i] = src[first + i];
      rest = dropped(rest, words, p.rate, scale);
      for (int i = 0; i < count; ++i) dst[first + i] = rest[i];
    }
  }
}

LaunchConfig grid_of(const DropoutProblem& p, Stream stream) {
  const std::int64_t quads = (p.elements + kPerThread - 1) / kPerThread;
  const std::int64_t blocks = std::min((quads + kThreads - 1) / kThreads, kMostBlocks);
  return {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = 0, .stream = stream};
}

template <class T>
Status start(const DropoutProblem& p, const DropoutArgs& args, Stream stream) {
  const float scale = 1.0f / (1.0f - p.rate);
  return launch(dropout_kernel<T>, grid_of(p, stream), p, scale, static_cast<const T*>(args.src),
                static_cast<T*>(args.dst), args.clock);
}

}  // namespace

Verdict dropout_supports(const DropoutProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16) return Verdict::no(std::string("no dropout of ") + name_of(type));
  if (!(problem.rate >= 0 && problem.rate < 1)) return Verdict::no("the rate must be 0 or more and less than 1");
  if (problem.elements < 0) return Verdict::no("less than 0 elements");
  if (problem.elements > (std::int64_t{kPerThread} << 32))
    return Verdict::no("more than 2^34 elements: the counter of quads has 32 bits");
  return Verdict::yes();
}

Status dropout(const DropoutProblem& problem, DType type, const DropoutArgs& args, Stream stream) {
  if (const Verdict verdict = dropout_supports(problem, type); !verdict)
    return Status::failed("dropout: " + verdict.reason());
  if (problem.elements == 0) return Status::ok();
  if (Status status =
          check_arrays("dropout", {{"src", args.src}, {"dst", args.dst}, {"clock", args.clock, alignof(StepClock)}});
      !status)
    return status;
  return type == DType::kF32 ? start<float>(problem, args, stream) : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
