#pragma once
// Operations that look at one element at a time: activation, dropout, sum.

#include "host/ops/reference/scalar.h"
#include "host/runtime/threads.h"
#include "kernels/base/activation.h"
#include "kernels/base/philox.h"

namespace cudacards::reference {

template <class S, class D>
void activation_forward(Activation activation, std::int64_t count, const S* src, D* dst) {
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) dst[i] = rounded<D>(apply(activation, load(src[i])));
  });
}

template <class S, class D>
void activation_backward(Activation activation, std::int64_t count, const D* dst, const D* diff_dst, GradMode mode,
                         S* diff_src) {
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      put(mode, diff_src[i], load(diff_dst[i]) * derivative_from_result(activation, load(dst[i])));
    }
  });
}

/// The random numbers of one node in one step.
struct DropoutMask {
  float rate = 0;
  std::uint64_t seed = 0, step = 0;
  std::uint32_t node = 0;

  /// 0 where the element is dropped, 1 / (1 - rate) where it stays.
  float scale(std::int64_t element) const {
    const auto quad = static_cast<std::uint32_t>(element / 4);
    const float u = uniform01(random4(seed, RandomPurpose::kDropout, step, node, quad).v[element % 4]);
    return u >= rate ? 1.0f / (1.0f - rate) : 0.0f;
  }
};

/// dst = src * mask; the backward pass is the same product, from diff_dst to diff_src.
template <class S, class D>
void dropout(const DropoutMask& mask, std::int64_t count, const S* src, GradMode mode, D* dst) {
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float scale = mask.scale(i);
      put(mode, dst[i], scale > 0 ? load(src[i]) * scale : Wide<S>(0));
    }
  });
}

template <class S, class D>
void copy(std::int64_t count, const S* src, GradMode mode, D* dst) {
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) put(mode, dst[i], load(src[i]));
  });
}

template <class S, class D>
void add_forward(std::int64_t count, const S* a, const S* b, D* dst) {
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) dst[i] = rounded<D>(load(a[i]) + load(b[i]));
  });
}

}  // namespace cudacards::reference
