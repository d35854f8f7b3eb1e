#include "host/ops/cpu/elementwise.h"

#include <algorithm>

#include "host/ops/cpu/lanes.h"
#include "host/ops/cpu/with_activation.h"
#include "host/runtime/threads.h"

namespace cudacards::cpu {
namespace {

constexpr std::int64_t kBlock = 1024;  // elements: shares begin on whole vectors, and small tensors stay on one thread

/// dst[i] = function(a[i], b[i], dst[i]) as floats, for whole vectors and what is left over.
template <class T, class Function>
void each(std::int64_t elements, const void* a, const void* b, void* dst, Function function) {
  const auto* first = static_cast<const T*>(a);
  const auto* second = static_cast<const T*>(b);
  auto* result = static_cast<T*>(dst);
  parallel_ranges((elements + kBlock - 1) / kBlock, [&](std::int64_t begin, std::int64_t end, int) {
    const std::int64_t from = begin * kBlock, count = std::min(end * kBlock, elements) - from;
    const T *x = first + from, *y = second + from;
    T* z = result + from;
    in_lanes(count, [=](auto lanes, std::int64_t i) {
      using V = decltype(lanes);
      put(z + i, function(take<V>(x + i), take<V>(y + i), take<V>(z + i)));
    });
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
    each(type, elements, src, src, dst, [](auto x, auto, auto) { return activated<decltype(kind)::value>(x); });
  });
}

void mask_gradient(Activation activation, DType type, std::int64_t elements, const void* dst, const void* diff_dst,
                   void* diff_src) {
  // dst is a result: what it was rounded to decides.
  with_activation(activation, [&](auto kind) {
    each(type, elements, dst, diff_dst, diff_src,
         [](auto y, auto d, auto) { return gradient_through<decltype(kind)::value, float>(y, d); });
  });
}

void add_masked_gradient(Activation activation, DType type, std::int64_t elements, const void* dst,
                         const void* diff_dst, void* diff_src) {
  with_activation(activation, [&](auto kind) {
    each(type, elements, dst, diff_dst, diff_src,
         [](auto y, auto d, auto sum) { return sum + gradient_through<decltype(kind)::value, float>(y, d); });
  });
}

void add_into(DType type, std::int64_t elements, const void* addend, void* sum) {
  each(type, elements, addend, addend, sum, [](auto x, auto, auto y) { return y + x; });
}

void add(DType type, std::int64_t elements, const void* a, const void* b, void* dst) {
  each(type, elements, a, b, dst, [](auto x, auto y, auto) { return x + y; });
}

}  // namespace cudacards::cpu
