#pragma once
// A depthwise convolution as a test case: its numbers, the kernels on the device, the reference in double.

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "host/ops/reference/conv2d.h"
#include "kernels/depthwise/depthwise.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/model_problems.h"
#include "tests/kernels/support/sample_values.h"

namespace cudacards::testing::depthwise {

struct Case {
  int n, h, w, c, filter, stride;
  Padding2d pad;
  DepthwiseTuning tuning = kDefaultDepthwiseTuning;

  Conv2dProblem problem() const {
    return {.n = n,
            .h = h,
            .w = w,
            .c = c,
            .k = c,
            .r = filter,
            .s = filter,
            .stride_h = stride,
            .stride_w = stride,
            .pad = pad,
            .groups = c};
  }
};

inline void PrintTo(const Case& c, std::ostream* out) {
  *out << "n" << c.n << " " << c.h << "x" << c.w << "x" << c.c << " filter " << c.filter << " stride " << c.stride
       << " pad " << c.pad.top << c.pad.left << c.pad.bottom << c.pad.right << " blocks " << c.tuning.forward_blocks;
}

inline std::vector<Case> cases_of_all_models() {
  return cases_of_models(model_problems().depthwise, [](const auto& named) {
    const Conv2dProblem& p = named.problem;
    const Case c = {p.n, p.h, p.w, p.c, p.r, p.stride_h, p.pad};
    EXPECT_EQ(c.problem(), p) << named.name << " is no depthwise convolution that these cases can say";
    return c;
  });
}

enum class Folded : bool { kNo, kYes };

struct Numbers {
  std::vector<double> src, weights, scale, shift, diff_dst, diff_src_before;
};

inline Numbers integers_for(const Conv2dProblem& p) {
  Numbers n = {.src = small_integers(p.src_elements(), 3, 1),
               .weights = small_integers(p.weight_elements(), 2, 2),
               .scale = small_integers(p.k, 2, 3),
               .shift = small_integers(p.k, 5, 4),
               .diff_dst = small_integers(p.dst_elements(), 3, 5),
               .diff_src_before = small_integers(p.src_elements(), 9, 6)};
  return n;
}

template <class T>
Bytes forward_on_device(const Case& c, const Numbers& numbers, Folded folded, Activation activation) {
  const Conv2dProblem p = c.problem();
  DeviceArray<T> src(stored_as<T>(numbers.src), "src"), dst(static_cast<std::size_t>(p.dst_elements()), "dst");
  DeviceArray<float> weights(stored_as<float>(numbers.weights), "weights");
  DeviceArray<float> scale(stored_as<float>(numbers.scale), "scale"), shift(stored_as<float>(numbers.shift), "shift");
  CUDACARDS_EXPECT_RUNS(depthwise_forward(p, kTypeOf<T>,
                                          {.src = src.data(),
                                           .weights = weights.data(),
                                           .scale = folded == Folded::kYes ? scale.data() : nullptr,
                                           .shift = folded == Folded::kYes ? shift.data() : nullptr,
                                           .activation = activation,
                                           .dst = dst.data()},
                                          nullptr, c.tuning));
  return bytes_of(dst);
}

inline std::vector<double> forward_reference(const Conv2dProblem& p, const Numbers& numbers, Folded folded,
                                             Activation activation) {
  std::vector<double> dst(static_cast<std::size_t>(p.dst_elements()));
  reference::conv2d_forward(p, numbers.src.data(), numbers.weights.data(), static_cast<const double*>(nullptr),
                            Activation::kNone, dst.data());
  for (std::size_t i = 0; i < dst.size(); ++i) {
    const std::size_t k = i % static_cast<std::size_t>(p.k);
    if (folded == Folded::kYes) dst[i] = dst[i] * numbers.scale[k] + numbers.shift[k];
    dst[i] = apply(activation, dst[i]);
  }
  return dst;
}

template <class T>
Bytes backward_data_on_device(const Case& c, const Numbers& numbers, GradMode mode) {
  const Conv2dProblem p = c.problem();
  DeviceArray<T> diff_dst(stored_as<T>(numbers.diff_dst), "diff_dst");
  DeviceArray<T> diff_src(static_cast<std::size_t>(p.src_elements()), "diff_src");
  DeviceArray<float> weights(stored_as<float>(numbers.weights), "weights");
  if (mode == GradMode::kAccumulate) diff_src.write(stored_as<T>(numbers.diff_src_before));
  CUDACARDS_EXPECT_RUNS(depthwise_backward_data(
      p, kTypeOf<T>,
      {.diff_dst = diff_dst.data(), .weights = weights.data(), .diff_src = diff_src.data(), .diff_src_mode = mode},
      nullptr, c.tuning));
  return bytes_of(diff_src);
}

/// diff_weights, then diff_bias.
template <class T>
Bytes backward_weights_on_device(const Case& c, const Numbers& numbers, GradMode mode) {
  const Conv2dProblem p = c.problem();
  DeviceArray<T> src(stored_as<T>(numbers.src), "src"), diff_dst(stored_as<T>(numbers.diff_dst), "diff_dst");
  DeviceArray<float> diff_weights(static_cast<std::size_t>(p.weight_elements()), "diff_weights");
  DeviceArray<float> diff_bias(static_cast<std::size_t>(p.k), "diff_bias");
  DeviceArray<std::byte> workspace(depthwise_backward_weights_workspace(p, kTypeOf<T>, c.tuning), "workspace");
  if (mode == GradMode::kAccumulate) {
    diff_weights.write(stored_as<float>(numbers.weights));
    diff_bias.write(stored_as<float>(numbers.shift));
  }
  CUDACARDS_EXPECT_RUNS(depthwise_backward_weights(p, kTypeOf<T>,
                                                   {.src = src.data(),
                                                    .diff_dst = diff_dst.data(),
                                                    .diff_weights = diff_weights.data(),
                                                    .diff_bias = diff_bias.data(),
                                                    .mode = mode,
                                                    .workspace = reinterpret_cast<float*>(workspace.data())},
                                                   nullptr, c.tuning));
  return bytes_of(diff_weights, diff_bias);
}

/// The sums of diff_dst, behind the gradient of the weights.
inline std::vector<double> backward_weights_reference(const Conv2dProblem& p, const std::vector<double>& src,
                                                      const std::vector<double>& diff_dst) {
  std::vector<double> gradient(static_cast<std::size_t>(p.weight_elements() + p.k));
  reference::conv2d_backward_weights(p, src.data(), diff_dst.data(), GradMode::kOverwrite, gradient.data());
  for (std::size_t i = 0; i < diff_dst.size(); ++i)
    gradient[static_cast<std::size_t>(p.weight_elements()) + i % static_cast<std::size_t>(p.k)] += diff_dst[i];
  return gradient;
}

}  // namespace cudacards::testing::depthwise
