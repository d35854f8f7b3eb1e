#include "host/ops/cpu/elementwise.h"

#include "host/ops/cpu/with_activation.h"
#include "host/runtime/threads.h"

namespace cudacards::cpu {
namespace {

constexpr std::int64_t kBlock = 1024;  // elements: shares begin on whole vectors, and small tensors stay on one thread

/// dst[i] = function(a[i], b[i], dst[i]) as floats. One pass for every pair of types that the compiler then vectorises.
template <class T, class Function>
void each(std::int64_t elements, const void* a, const void* b, void* dst, Function function) {
  const auto* first = static_cast<const T*>(a);
  const auto* second = static_cast<const T*>(b);
  auto* result = static_cast<T*>(dst);
  parallel_ranges((elements + kBlock - 1) / kBlock, [&](std::int64_t begin, std::int64_t end, int) {
    const std::int64_t last = end * kBlock < elements ? end * kBlock : elements;
#pragma GCC ivdep
    for (std::int64_t i = begin * kBlock; i < last; ++i) {
      result[i] = static_cast<T>(
          function(static_cast<float>(first[i]), static_cast<float>(second[i]), static_cast<float>(result[i])));
    }
  });
}

template <class Function>
void each(DType type, std::int64_t elements, const void* a, const void* b, void* dst, Function function) {
  if (type == DType::kBf16) {
    each<Bf16>(elements, a, b, dst, function);
  } else {
    each<float>(elements, a, b, dst, function);
  }
}

}  // namespace

void activate(Activation activation, DType type, std::int64_t elements, const void* src, void* dst) {
  with_activation(activation, [&](auto kind) {
    each(type, elements, src, src, dst, [](float x, float, float) { return apply(decltype(kind)::value, x); });
  });
}

void mask_gradient(Activation activation, DType type, std::int64_t elements, const void* dst, const void* diff_dst,
                   void* diff_src) {
  with_activation(activation, [&](auto kind) {
    each(type, elements, dst, diff_dst, diff_src,
         [](float y, float d, float) { return derivative_from_result(decltype(kind)::value, y) != 0.0f ? d : 0.0f; });
  });
}

void add_masked_gradient(Activation activation, DType type, std::int64_t elements, const void* dst,
                         const void* diff_dst, void* diff_src) {
  with_activation(activation, [&](auto kind) {
    each(type, elements, dst, diff_dst, diff_src, [](float y, float d, float sum) {
      return sum + (derivative_from_result(decltype(kind)::value, y) != 0.0f ? d : 0.0f);
    });
  });
}

void add_into(DType type, std::int64_t elements, const void* addend, void* sum) {
  each(type, elements, addend, addend, sum, [](float x, float, float y) { return y + x; });
}

void add(DType type, std::int64_t elements, const void* a, const void* b, void* dst) {
  each(type, elements, a, b, dst, [](float x, float y, float) { return x + y; });
}

}  // namespace cudacards::cpu
