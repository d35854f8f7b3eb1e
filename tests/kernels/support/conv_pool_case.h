#pragma once
// Cases of the fused convolution and pool, what they give on the device, and what they should give.

#include <gtest/gtest.h>

#include <limits>

#include "kernels/conv_pool/conv_pool.h"
#include "tests/kernels/support/conv_pool_reference.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/model_problems.h"

namespace cudacards::testing {
inline namespace conv_pool_cases {

struct Case {
  int n, h, w, c, k;
  Activation activation = Activation::kRelu;
  ConvPoolSource source = ConvPoolSource::kAsDst;
  float scale = 1;

  ConvPoolProblem problem() const {
    ConvPoolProblem p = conv_pool_problem(n, h, w, c, k, activation);
    p.source = source;
    p.scale = scale;
    return p;
  }
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.n << "x" << c.h << "x" << c.w << "x" << c.c << "->" << c.k << " " << name_of(c.activation)
               << (c.source == ConvPoolSource::kU8 ? " from uint8" : "");
  }
};

constexpr Activation kNone = Activation::kNone, kRelu6 = Activation::kRelu6, kRelu = Activation::kRelu;
constexpr ConvPoolSource kU8 = ConvPoolSource::kU8;

// One window, exact tiles (16 x 16 pixels; 8 x 16 in the gradient of the weights), a tile and a bit in every direction,
// odd sizes, the CNN's channels, several slabs of channels and filters, several tiles of channels, primes.
const Case kCases[] = {
    {1, 2, 2, 1, 1, kNone},
    {1, 3, 2, 16, 8},
    {1, 16, 16, 16, 64, kNone},
    {2, 18, 18, 16, 16, kRelu6},
    {1, 17, 35, 32, 72},
    {1, 8, 8, 64, 128},
    {2, 5, 7, 48, 24, kRelu6},
    {1, 6, 4, 40, 136, kNone},
    {1, 16, 18, 3, 32, kRelu},
    {1, 7, 19, 53, 33},
    {1, 4, 6, 136, 8},
    {3, 4, 5, 7, 13, kNone},
    {1, 20, 4, 2, 40, kRelu6},
    {1, 16, 16, 3, 32, kRelu, kU8, 0.25f},
    {2, 9, 35, 3, 40, kNone, kU8},
    {1, 5, 18, 4, 8, kRelu6, kU8, 0.5f},
    {1, 6, 34, 1, 7, kRelu, kU8},
    {1, 4, 4, 16, 16, kNone, kU8},
};

/// Those of all models; few channels are pictures, which may come as pixels.
inline std::vector<Case> cases_of_models() {
  std::vector<Case> cases;
  for (const auto& [name, p] : model_problems().conv_pool) {
    cases.push_back({p.conv.n, p.conv.h, p.conv.w, p.conv.c, p.conv.k, p.activation});
    EXPECT_EQ(cases.back().problem(), p) << name << " is no convolution that conv_pool has";
    if (p.conv.c <= 4) cases.push_back({p.conv.n, p.conv.h, p.conv.w, p.conv.c, p.conv.k, p.activation, kU8});
  }
  return cases;
}

template <class T>
constexpr DType kType = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;

/// Of -range ... range, neither constant nor regular.
template <class T>
std::vector<T> integers(std::size_t count, int range, std::uint32_t seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    const int x = int(seed >> 16) % (2 * range + 1) - range;
    if constexpr (std::is_integral_v<T>) {
      value = T(x + range);
    } else {
      value = T(float(x));
    }
  }
  return values;
}

template <class T>
std::vector<T> reals(std::size_t count, std::uint32_t seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = T(float(seed >> 8) / float(1 << 23) - 1.0f);
  }
  return values;
}

template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  std::vector<double> result;
  for (const T& value : values) result.push_back(double(float(value)));
  return result;
}
template <class T>
std::vector<float> floats(const std::vector<T>& values) {
  std::vector<float> result;
  for (const T& value : values) result.push_back(float(value));
  return result;
}

/// What one problem needs, forward and backward. S: uint8 or T. The backward passes are given a result and winners of
/// their own, so that each is tested by itself.
template <class S, class T>
struct Data {
  ConvPoolProblem p;
  std::vector<S> src;
  std::vector<T> weights, diff_dst, dst, old_src;
  std::vector<float> bias, old_weights, old_bias;
  std::vector<std::uint32_t> argmax;

  explicit Data(const Case& c) : p(c.problem()) {
    const auto pooled = std::size_t(p.dst_elements());
    src = integers<S>(std::size_t(p.conv.src_elements()), 3, 1);
    weights = integers<T>(std::size_t(p.conv.weight_elements()), 2, 2);
    bias = integers<float>(std::size_t(p.conv.k), 3, 3);
    diff_dst = integers<T>(pooled, 3, 4);
    dst = integers<T>(pooled, 7, 5);
    old_src = integers<T>(src.size(), 5, 6);
    old_weights = integers<float>(weights.size(), 5, 7);
    old_bias = integers<float>(bias.size(), 5, 8);
    argmax.resize(std::size_t(p.argmax_words()));
    std::uint32_t seed = 9;
    for (std::uint32_t& word : argmax) word = seed = seed * 1664525u + 1013904223u;
  }
  void make_real() {
    if constexpr (!std::is_integral_v<S>) src = reals<S>(src.size(), 11);
    weights = reals<T>(weights.size(), 12);
    bias = reals<float>(bias.size(), 13);
    diff_dst = reals<T>(diff_dst.size(), 14);
  }
};

template <class T>
struct Pooled {
  std::vector<T> dst;
  std::vector<std::uint32_t> argmax;
  bool operator==(const Pooled& other) const {
    return argmax == other.argmax && std::memcmp(dst.data(), other.dst.data(), dst.size() * sizeof(T)) == 0;
  }
};

template <class S, class T>
Pooled<T> forward(const Data<S, T>& data) {
  DeviceArray<S> src(data.src, "src");
  DeviceArray<T> weights(data.weights, "weights"), dst(std::size_t(data.p.dst_elements()), "dst");
  DeviceArray<float> bias(data.bias, "bias");
  DeviceArray<std::uint32_t> argmax(std::size_t(data.p.argmax_words()), "argmax");
  CUDACARDS_EXPECT_RUNS(conv_pool_forward(
      data.p, kType<T>,
      {.src = src.data(), .weights = weights.data(), .bias = bias.data(), .dst = dst.data(), .argmax = argmax.data()},
      nullptr));
  return {dst.read(), argmax.read()};
}

template <class S, class T>
std::vector<float> backward_data(const Data<S, T>& data, GradMode mode) {
  DeviceArray<T> diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst"), weights(data.weights, "weights");
  DeviceArray<T> diff_src(data.src.size(), "diff_src");
  DeviceArray<std::uint32_t> argmax(data.argmax, "argmax");
  if (mode != GradMode::kOverwrite) diff_src.write(data.old_src);
  CUDACARDS_EXPECT_RUNS(conv_pool_backward_data(data.p, kType<T>,
                                                {.diff_dst = diff_dst.data(),
                                                 .dst = dst.data(),
                                                 .argmax = argmax.data(),
                                                 .weights = weights.data(),
                                                 .mode = mode,
                                                 .diff_src = diff_src.data()},
                                                nullptr));
  return floats(diff_src.read());
}

enum class WithBias : bool { kNo, kYes };

/// diff_weights, then diff_bias where it is wanted.
template <class S, class T>
std::vector<float> backward_weights(const Data<S, T>& data, GradMode mode, WithBias with_bias = WithBias::kYes) {
  DeviceArray<S> src(data.src, "src");
  DeviceArray<T> diff_dst(data.diff_dst, "diff_dst"), dst(data.dst, "dst");
  DeviceArray<std::uint32_t> argmax(data.argmax, "argmax");
  DeviceArray<float> diff_weights(data.weights.size(), "diff_weights"), diff_bias(data.bias.size(), "diff_bias");
  DeviceArray<float> workspace(conv_pool_workspace_bytes(data.p, kType<T>) / sizeof(float), "workspace");
  if (mode != GradMode::kOverwrite) {
    diff_weights.write(data.old_weights);
    diff_bias.write(data.old_bias);
  }
  CUDACARDS_EXPECT_RUNS(
      conv_pool_backward_weights(data.p, kType<T>,
                                 {.src = src.data(),
                                  .diff_dst = diff_dst.data(),
                                  .dst = dst.data(),
                                  .argmax = argmax.data(),
                                  .mode = mode,
                                  .diff_weights = diff_weights.data(),
                                  .diff_bias = with_bias == WithBias::kYes ? diff_bias.data() : nullptr,
                                  .workspace = workspace.data()},
                                 nullptr));
  std::vector<float> result = diff_weights.read();
  if (with_bias == WithBias::kYes) {
    const std::vector<float> rest = diff_bias.read();
    result.insert(result.end(), rest.begin(), rest.end());
  }
  return result;
}

template <class S, class T>
ConvGradients gradients(const Data<S, T>& data) {
  const auto diff = spread_reference(data.p, doubles(data.diff_dst), doubles(data.dst), data.argmax);
  return conv_gradients_reference(data.p, doubles(data.src), doubles(data.weights), diff);
}

/// Value and magnitude of the weights' gradient and the bias', one after the other.
inline Bounded joined(const Bounded& a, const Bounded& b) {
  Bounded both = a;
  both.value.insert(both.value.end(), b.value.begin(), b.value.end());
  both.magnitude.insert(both.magnitude.end(), b.magnitude.begin(), b.magnitude.end());
  return both;
}

inline std::vector<double> sum(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

template <class S, class T>
void expect_exact_forward(const Case& c) {
  const Data<S, T> data(c);
  const auto expected = conv_pool_reference<T>(data.p, doubles(data.src), doubles(data.weights), doubles(data.bias));
  const Pooled<T> actual = in_every_order([&] { return forward(data); });
  EXPECT_TRUE(exact(floats(actual.dst), expected.dst.value, kType<T>)) << c << " " << name_of(kType<T>);
  EXPECT_EQ(actual.argmax, expected.argmax) << c << " " << name_of(kType<T>);
  EXPECT_TRUE(trusted(expected.dst.value)) << c;
}

template <class S, class T>
void expect_exact_backward(const Case& c) {
  const Data<S, T> data(c);
  const ConvGradients expected = gradients(data);
  if (data.p.source == ConvPoolSource::kAsDst) {
    EXPECT_TRUE(
        exact(in_every_order([&] { return backward_data(data, GradMode::kOverwrite); }), expected.src.value, kType<T>))
        << c << " " << name_of(kType<T>);
    EXPECT_TRUE(
        exact(backward_data(data, GradMode::kAccumulate), sum(expected.src.value, doubles(data.old_src)), kType<T>))
        << c << " " << name_of(kType<T>);
    EXPECT_TRUE(trusted(expected.src.value)) << c;
  }
  const Bounded parameters = joined(expected.weights, expected.bias);
  EXPECT_TRUE(exact(in_every_order([&] { return backward_weights(data, GradMode::kOverwrite); }), parameters.value,
                    DType::kF32))
      << c << " " << name_of(kType<T>);
  const Bounded old = joined({doubles(data.old_weights), {}}, {doubles(data.old_bias), {}});
  EXPECT_TRUE(exact(backward_weights(data, GradMode::kAccumulate), sum(parameters.value, old.value), DType::kF32))
      << c << " " << name_of(kType<T>);
  EXPECT_TRUE(trusted(parameters.value)) << c;
}

}  // namespace conv_pool_cases
}  // namespace cudacards::testing
