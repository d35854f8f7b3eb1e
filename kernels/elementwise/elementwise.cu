// activation   dst = apply(activation, src)        diff_src = diff_dst * derivative_from_result(activation, dst)
// add          dst = a + b                         diff_src = diff_dst
//
//   thread t:  | 16 bytes t | 16 bytes t + threads | ...     8 elements in bf16, 4 in fp32, by one load and one store;
//                                                            the last, ragged piece goes element by element
//
// Two to four tensors go through once and one operation an element is done: memory is the limit. Worth a kernel of
// their own only where nothing before or after can take them along.

#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/simt/channels.h"
#include "kernels/simt/launch.h"

namespace cudacards {
namespace {

constexpr int kThreads = 256;

// Each operation computes kWidth elements, the first at `i`.

template <class T>
struct ActivationForward {
  const T* src;
  T* dst;
  Activation activation;

  template <int kWidth>
  __device__ __forceinline__ void compute(std::int64_t i) const {
    Channels<kWidth> x = load_channels<kWidth>(src + i);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) x[j] = apply(activation, x[j]);
    store_channels(dst + i, x);
  }
};

template <class T>
struct ActivationBackward {
  const T* dst;
  const T* diff_dst;
  T* diff_src;
  Activation activation;
  GradMode mode;

  template <int kWidth>
  __device__ __forceinline__ void compute(std::int64_t i) const {
    const Channels<kWidth> y = load_channels<kWidth>(dst + i);
    Channels<kWidth> gradient = load_channels<kWidth>(diff_dst + i);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) gradient[j] *= derivative_from_result(activation, y[j]);
    put_channels(mode, diff_src + i, gradient);
  }
};

template <class T>
struct Sum {
  const T* a;
  const T* b;
  T* dst;

  template <int kWidth>
  __device__ __forceinline__ void compute(std::int64_t i) const {
    Channels<kWidth> x = load_channels<kWidth>(a + i);
    const Channels<kWidth> y = load_channels<kWidth>(b + i);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) x[j] += y[j];
    store_channels(dst + i, x);
  }
};

template <class T>
struct FanIn {
  const T* diff_dst;
  T* diff_src;
  GradMode mode;

  template <int kWidth>
  __device__ __forceinline__ void compute(std::int64_t i) const {
    put_channels(mode, diff_src + i, load_channels<kWidth>(diff_dst + i));
  }
};

template <class T, class Operation>
__global__ void __launch_bounds__(kThreads) elementwise_kernel(Operation operation, std::int64_t elements) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads * kPack<T>;
  for (std::int64_t i = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * kPack<T>; i < elements; i += stride) {
    if (i + kPack<T> <= elements) {
      operation.template compute<kPack<T>>(i);
    } else {
      for (std::int64_t rest = i; rest < elements; ++rest) operation.template compute<1>(rest);
    }
  }
}

template <class T, class Operation>
Status start(const Operation& operation, std::int64_t elements, const ElementwiseTuning& tuning, Stream stream) {
  constexpr std::int64_t kOfBlock = std::int64_t{kThreads} * kPack<T>;
  const std::int64_t blocks = std::min<std::int64_t>((elements + kOfBlock - 1) / kOfBlock, tuning.most_blocks);
  return launch(
      elementwise_kernel<T, Operation>,
      {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = 0, .stream = stream},
      operation, elements);
}

/// Whether there is anything wrong with a call, before anything else.
Status checked(const char* name, std::int64_t elements, DType type, std::initializer_list<NamedArray> tensors) {
  if (const Verdict verdict = elementwise_supports(elements, type); !verdict)
    return Status::failed(std::string(name) + ": " + verdict.reason());
  return elements == 0 ? Status::ok() : check_arrays(name, tensors);
}

/// A gradient that nobody wants has no elements.
std::int64_t wanted(std::int64_t elements, GradMode mode) {
  return mode == GradMode::kIgnore ? std::min<std::int64_t>(elements, 0) : elements;
}

template <class T, class V>
auto as(V* pointer) {
  if constexpr (std::is_const_v<V>) {
    return static_cast<const T*>(pointer);
  } else {
    return static_cast<T*>(pointer);
  }
}

/// run(T{}) with the storage type.
template <class Run>
Status for_type(DType type, const Run& run) {
  return type == DType::kF32 ? run(float{}) : run(__nv_bfloat16{});
}

}  // namespace

Verdict elementwise_supports(std::int64_t elements, DType type) {
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("no elementwise operation on ") + name_of(type));
  if (elements < 0) return Verdict::no("less than 0 elements");
  return Verdict::yes();
}

Status activation_forward(const ActivationProblem& problem, DType type, const ActivationForwardArgs& args,
                          Stream stream, const ElementwiseTuning& tuning) {
  Status status = checked("activation", problem.elements, type, {{"src", args.src}, {"dst", args.dst}});
  if (!status || problem.elements == 0) return status;
  return for_type(type, [&]<class T>(T) {
    const ActivationForward<T> operation = {as<T>(args.src), as<T>(args.dst), problem.activation};
    return start<T>(operation, problem.elements, tuning, stream);
  });
}

Status activation_backward(const ActivationProblem& problem, DType type, const ActivationBackwardArgs& args,
                           Stream stream, const ElementwiseTuning& tuning) {
  const std::int64_t elements = wanted(problem.elements, args.diff_src_mode);
  Status status = checked("activation backward", elements, type,
                          {{"dst", args.dst}, {"diff_dst", args.diff_dst}, {"diff_src", args.diff_src}});
  if (!status || elements == 0) return status;
  return for_type(type, [&]<class T>(T) {
    const ActivationBackward<T> operation = {as<T>(args.dst), as<T>(args.diff_dst), as<T>(args.diff_src),
                                             problem.activation, args.diff_src_mode};
    return start<T>(operation, problem.elements, tuning, stream);
  });
}

Status add(const AddProblem& problem, DType type, const AddArgs& args, Stream stream, const ElementwiseTuning& tuning) {
  Status status = checked("add", problem.elements, type, {{"a", args.a}, {"b", args.b}, {"dst", args.dst}});
  if (!status || problem.elements == 0) return status;
  return for_type(type, [&]<class T>(T) {
    const Sum<T> operation = {as<T>(args.a), as<T>(args.b), as<T>(args.dst)};
    return start<T>(operation, problem.elements, tuning, stream);
  });
}

Status add_backward(const AddProblem& problem, DType type, const AddBackwardArgs& args, Stream stream,
                    const ElementwiseTuning& tuning) {
  const std::int64_t elements = wanted(problem.elements, args.diff_src_mode);
  Status status = checked("add backward", elements, type, {{"diff_dst", args.diff_dst}, {"diff_src", args.diff_src}});
  if (!status || elements == 0) return status;
  return for_type(type, [&]<class T>(T) {
    const FanIn<T> operation = {as<T>(args.diff_dst), as<T>(args.diff_src), args.diff_src_mode};
    return start<T>(operation, problem.elements, tuning, stream);
  });
}

}  // namespace cudacards
