#include "host/ops/vendor/onednn_elementwise.h"

#include "host/runtime/threads.h"

namespace cudacards::onednn {
namespace {

template <class T, Activation kActivation>
void mask(const T* diff_dst, const T* dst, std::int64_t elements, T* masked) {
  parallel_ranges(elements, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float y = static_cast<float>(dst[i]);
      masked[i] = y > 0.0f && (kActivation != Activation::kRelu6 || y < 6.0f) ? diff_dst[i] : T{};
    }
  });
}

template <class T>
void mask(Activation activation, const void* diff_dst, const void* dst, std::int64_t elements, void* masked) {
  const auto* from = static_cast<const T*>(diff_dst);
  const auto* result = static_cast<const T*>(dst);
  if (activation == Activation::kRelu6) {
    mask<T, Activation::kRelu6>(from, result, elements, static_cast<T*>(masked));
  } else {
    mask<T, Activation::kRelu>(from, result, elements, static_cast<T*>(masked));
  }
}

template <class T>
void add(const void* addend, std::int64_t elements, void* sum) {
  parallel_ranges(elements, [&](std::int64_t begin, std::int64_t end, int) {
    const auto* from = static_cast<const T*>(addend);
    auto* to = static_cast<T*>(sum);
    for (std::int64_t i = begin; i < end; ++i) to[i] = static_cast<T>(static_cast<float>(to[i]) + static_cast<float>(from[i]));
  });
}

}  // namespace

void mask_gradient(Activation activation, DType type, const void* diff_dst, const void* dst, std::int64_t elements, void* masked) {
  if (type == DType::kBf16) {
    mask<Bf16>(activation, diff_dst, dst, elements, masked);
  } else {
    mask<float>(activation, diff_dst, dst, elements, masked);
  }
}

void add_into(DType type, const void* addend, std::int64_t elements, void* sum) {
  if (type == DType::kBf16) {
    add<Bf16>(addend, elements, sum);
  } else {
    add<float>(addend, elements, sum);
  }
}

}  // namespace cudacards::onednn
