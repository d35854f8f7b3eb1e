// cast: dst[i] = src[i] in another type.   fill: dst[i] = value.
//
//   block b: 1024 vectors in a row;  thread t: vectors t, t + 256, t + 512, t + 768 of them
//   cast: 4 elements a vector, 16 bytes on the fp32 side and 8 on the other;  fill: 16 bytes
//
// Moves 6 bytes an element (fill: 4 or 2), each once: the floor. No arithmetic to speak of.

#include <cstdint>
#include <limits>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/cast/cast.h"
#include "kernels/cast/tuning.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {
namespace {

constexpr int kThreads = kCastTuning.threads, kVectors = kCastTuning.vectors;
constexpr int kCastElements = 4;  // of a vector
template <class T>
constexpr int kFillElements = 16 / sizeof(T);

/// Calls vector(first) for this block's whole vectors and one(i) for the elements of a ragged last one.
template <int kElements, class Vector, class One>
__device__ __forceinline__ void for_each_vector(std::int64_t elements, Vector&& vector, One&& one) {
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const std::int64_t first =
        kElements * ((std::int64_t{blockIdx.x} * kVectors + i) * kThreads + static_cast<int>(threadIdx.x));
    if (first + kElements <= elements) {
      vector(first);
    } else {
      for (std::int64_t element = first; element < elements; ++element) one(element);
    }
  }
}

template <class From, class To>
__global__ void __launch_bounds__(kThreads) cast_kernel(std::int64_t elements, const From* src, To* dst) {
  for_each_vector<kCastElements>(
      elements,
      [&](std::int64_t first) {
        const auto from = load_vector<kCastElements>(src + first);
        Vec<To, kCastElements> to;
#pragma unroll
        for (int i = 0; i < kCastElements; ++i) to[i] = from_float<To>(to_float(from[i]));
        store_vector(dst + first, to);
      },
      [&](std::int64_t i) { dst[i] = from_float<To>(to_float(src[i])); });
}

template <class T>
__global__ void __launch_bounds__(kThreads) fill_kernel(std::int64_t elements, float value, T* dst) {
  const T filling = from_float<T>(value);
  Vec<T, kFillElements<T>> whole;
#pragma unroll
  for (int i = 0; i < kFillElements<T>; ++i) whole[i] = filling;
  for_each_vector<kFillElements<T>>(
      elements, [&](std::int64_t first) { store_vector(dst + first, whole); },
      [&](std::int64_t i) { dst[i] = filling; });
}

constexpr std::int64_t elements_of_block(int of_vector) { return std::int64_t{kThreads} * kVectors * of_vector; }

LaunchConfig grid_of(std::int64_t elements, int of_vector, Stream stream) {
  const std::int64_t each = elements_of_block(of_vector);
  return {.grid = dim3(static_cast<unsigned>((elements + each - 1) / each)),
          .block = dim3(kThreads),
          .shared_bytes = 0,
          .stream = stream};
}

template <class From, class To>
Status start_cast(const CastProblem& p, const CastArgs& args, Stream stream) {
  return launch(cast_kernel<From, To>, grid_of(p.elements, kCastElements, stream), p.elements,
                static_cast<const From*>(args.src), static_cast<To*>(args.dst));
}

template <class T>
Status start_fill(const FillProblem& p, void* dst, Stream stream) {
  return launch(fill_kernel<T>, grid_of(p.elements, kFillElements<T>, stream), p.elements, p.value,
                static_cast<T*>(dst));
}

Verdict elements_are_supported(std::int64_t elements) {
  if (elements < 0) return Verdict::no("a negative number of elements");
  if (elements > elements_of_block(4) * std::numeric_limits<int>::max())
    return Verdict::no("more elements than 2^31 - 1 blocks take");
  return Verdict::yes();
}

}  // namespace

Verdict cast_supports(const CastProblem& problem) {
  const bool narrows = problem.from == DType::kF32 && problem.to == DType::kBf16;
  const bool widens = problem.from == DType::kBf16 && problem.to == DType::kF32;
  if (!narrows && !widens) {
    return Verdict::no(std::string("no cast from ") + name_of(problem.from) + " to " + name_of(problem.to));
  }
  return elements_are_supported(problem.elements);
}

Status cast(const CastProblem& problem, const CastArgs& args, Stream stream) {
  if (const Verdict verdict = cast_supports(problem); !verdict) return Status::failed("cast: " + verdict.reason());
  if (problem.elements == 0) return Status::ok();
  if (Status status = check_arrays("cast", {{"src", args.src}, {"dst", args.dst}}); !status) return status;
  return problem.from == DType::kF32 ? start_cast<float, __nv_bfloat16>(problem, args, stream)
                                     : start_cast<__nv_bfloat16, float>(problem, args, stream);
}

Verdict fill_supports(const FillProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16) return Verdict::no(std::string("no fill of ") + name_of(type));
  return elements_are_supported(problem.elements);
}

Status fill(const FillProblem& problem, DType type, void* dst, Stream stream) {
  if (const Verdict verdict = fill_supports(problem, type); !verdict)
    return Status::failed("fill: " + verdict.reason());
  if (problem.elements == 0) return Status::ok();
  if (Status status = check_arrays("fill", {{"dst", dst}}); !status) return status;
  return type == DType::kF32 ? start_fill<float>(problem, dst, stream)
                             : start_fill<__nv_bfloat16>(problem, dst, stream);
}

}  // namespace cudacards
