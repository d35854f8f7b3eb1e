#pragma once
// Batch norm for its tests: inputs, one call for each of its functions on the device under test, and the same in
// double.

#include <cmath>
#include <vector>

#include "host/ops/reference/batch_norm.h"
#include "kernels/batch_norm/batch_norm.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/norm_numbers.h"
#include "tests/support/compare.h"

namespace cudacards::testing::batch_norm {

constexpr auto kBatch = BatchNormStatistics::kBatch, kRunning = BatchNormStatistics::kRunning;

template <class T>
struct Forward {
  std::vector<T> dst;
  std::vector<float> mean, rstd, running_mean, running_variance;
};

template <class T>
struct Input {
  std::vector<T> src, diff_dst;
  std::vector<float> gamma, beta, mean, variance;

  static Input random(const BatchNormProblem& p) {
    const std::int64_t c = p.channels;
    return {random_numbers<T>(p.elements(), -2, 5, 41), random_numbers<T>(p.elements(), -1, 1, 42),
            random_numbers<float>(c, -2, 3, 43),        random_numbers<float>(c, -1, 3, 44),
            random_numbers<float>(c, -1, 3, 45),        random_numbers<float>(c, 0.5f, 4, 46)};
  }
  /// Every product and sum is exact in fp32, values lie on and beyond the activations' bounds.
  static Input integers(const BatchNormProblem& p) {
    const std::int64_t c = p.channels;
    Input in{random_integers<T>(p.elements(), -3, 3, 51), random_integers<T>(p.elements(), -2, 2, 52),
             random_integers<float>(c, 1, 2, 53),         random_integers<float>(c, -1, 3, 54),
             random_integers<float>(c, -1, 1, 55),        random_integers<float>(c, 0, 1, 56)};
    for (float& variance : in.variance) variance = variance == 0.0f ? 0.25f : 1.0f;  // rstd 2 or 1 without epsilon
    return in;
  }
};

enum class Place { kApart, kInPlace };
enum class Average { kNo, kYes };

template <class T>
Forward<T> train(const BatchNormProblem& p, const Input<T>& in, Average average = Average::kYes,
                 Place place = Place::kApart) {
  const auto channels = static_cast<std::size_t>(p.channels);
  DeviceArray<T> src(in.src, "src"), dst(in.src.size(), "dst");
  DeviceArray<float> gamma(in.gamma, "gamma"), beta(in.beta, "beta"), mean(channels, "saved_mean"),
      rstd(channels, "saved_rstd"), running_mean(in.mean, "running_mean"), running_variance(in.variance, "variance");
  DeviceArray<std::byte> workspace(batch_norm_workspace(p, kTypeOf<T>), "workspace");
  T* to = place == Place::kApart ? dst.data() : src.data();
  const bool averages = average == Average::kYes;
  CUDACARDS_EXPECT_RUNS(batch_norm_training(p, kTypeOf<T>,
                                            {.src = src.data(),
                                             .gamma = gamma.data(),
                                             .beta = beta.data(),
                                             .dst = to,
                                             .saved_mean = mean.data(),
                                             .saved_rstd = rstd.data(),
                                             .running_mean = averages ? running_mean.data() : nullptr,
                                             .running_variance = averages ? running_variance.data() : nullptr,
                                             .workspace = workspace.data()},
                                            nullptr));
  return {place == Place::kApart ? dst.read() : src.read(), mean.read(), rstd.read(), running_mean.read(),
          running_variance.read()};
}

template <class T>
std::vector<T> infer(const BatchNormProblem& p, const Input<T>& in, Place place = Place::kApart) {
  DeviceArray<T> src(in.src, "src"), dst(in.src.size(), "dst");
  DeviceArray<float> gamma(in.gamma, "gamma"), beta(in.beta, "beta"), mean(in.mean, "mean"),
      variance(in.variance, "variance");
  CUDACARDS_EXPECT_RUNS(batch_norm_inference(p, kTypeOf<T>,
                                             {.src = src.data(),
                                              .gamma = gamma.data(),
                                              .beta = beta.data(),
                                              .mean = mean.data(),
                                              .variance = variance.data(),
                                              .dst = place == Place::kApart ? dst.data() : src.data()},
                                             nullptr));
  return place == Place::kApart ? dst.read() : src.read();
}

struct Modes {
  GradMode src = GradMode::kOverwrite, parameters = GradMode::kOverwrite;
  Place place = Place::kApart;
  bool gamma = true, beta = true;
};

template <class T>
struct Backward {
  std::vector<T> diff_src;
  std::vector<float> diff_gamma, diff_beta;
};

constexpr float kBefore = 3.0f;  // in every gradient before the launch

template <class T>
Backward<T> differentiate(const BatchNormProblem& p, const Input<T>& in, BatchNormStatistics statistics,
                          const std::vector<float>& mean, const std::vector<float>& spread, const Modes& modes = {}) {
  DeviceArray<T> src(in.src, "src"), diff_dst(in.diff_dst, "diff_dst"),
      diff_src(std::vector<T>(in.src.size(), T(kBefore)), "diff_src");
  const std::vector<float> before(in.gamma.size(), kBefore);
  DeviceArray<float> gamma(in.gamma, "gamma"), beta(in.beta, "beta"), device_mean(mean, "mean"),
      device_spread(spread, "spread"), diff_gamma(before, "diff_gamma"), diff_beta(before, "diff_beta");
  DeviceArray<std::byte> workspace(batch_norm_workspace(p, kTypeOf<T>), "workspace");
  CUDACARDS_EXPECT_RUNS(
      batch_norm_backward(p, kTypeOf<T>,
                          {.src = src.data(),
                           .diff_dst = diff_dst.data(),
                           .gamma = gamma.data(),
                           .beta = beta.data(),
                           .mean = device_mean.data(),
                           .spread = device_spread.data(),
                           .statistics = statistics,
                           .diff_src = modes.place == Place::kApart ? diff_src.data() : diff_dst.data(),
                           .diff_gamma = modes.gamma ? diff_gamma.data() : nullptr,
                           .diff_beta = modes.beta ? diff_beta.data() : nullptr,
                           .diff_src_mode = modes.src,
                           .diff_parameters_mode = modes.parameters,
                           .workspace = workspace.data()},
                          nullptr));
  return {modes.place == Place::kApart ? diff_src.read() : diff_dst.read(), diff_gamma.read(), diff_beta.read()};
}

template <class... Values>
Bytes joined(const std::vector<Values>&... values) {
  Bytes all;
  const auto append = [&](const auto& some) {
    const auto* begin = reinterpret_cast<const std::byte*>(some.data());
    all.insert(all.end(), begin, begin + some.size() * sizeof some[0]);
  };
  (append(values), ...);
  return all;
}

// --- the reference in double

struct Statistics {
  std::vector<double> mean, rstd, variance;
  reference::ChannelStatistics view() { return {mean.data(), rstd.data()}; }
};

template <class T>
Statistics of_batch(const BatchNormProblem& p, const Input<T>& in) {
  const auto channels = static_cast<std::size_t>(p.channels);
  Statistics s{std::vector<double>(channels), std::vector<double>(channels), std::vector<double>(channels)};
  reference::batch_statistics(p.rows, p.channels, in_double(in.src).data(), static_cast<double>(p.epsilon), s.view(),
                              s.variance.data());
  return s;
}

inline Statistics as_given(const BatchNormProblem& p, BatchNormStatistics kind, const std::vector<float>& mean,
                           const std::vector<float>& spread) {
  Statistics s{in_double(mean), in_double(spread), {}};
  if (kind == kBatch) return s;
  for (double& x : s.rstd) x = 1 / std::sqrt(x + static_cast<double>(p.epsilon));
  return s;
}

/// The normalised values. Statistics carry an error of sqrt(rows) units, of the mean against the mean's size.
template <class T>
Bounded forward_of(const BatchNormProblem& p, const Input<T>& in, Statistics s, double terms) {
  const auto src = in_double(in.src), gamma = in_double(in.gamma), beta = in_double(in.beta);
  Bounded dst{std::vector<double>(src.size()), {}, terms};
  reference::batch_norm_forward(p.rows, p.channels, src.data(), s.view(), gamma.data(), beta.data(), p.activation,
                                dst.value.data());
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % in.gamma.size();
    const double normal = std::abs(src[i] - s.mean[c]) + std::abs(s.mean[c]);
    dst.magnitude.push_back(std::abs(gamma[c]) * s.rstd[c] * normal + std::abs(beta[c]));
  }
  return dst;
}

struct ExpectedGradients {
  Bounded diff_src, diff_gamma, diff_beta;
};

/// `dst` is what the device's forward pass wrote: its mask is the one to find again.
template <class T>
ExpectedGradients backward_of(const BatchNormProblem& p, const Input<T>& in, const std::vector<T>& dst, Statistics s,
                              BatchNormStatistics kind, GradMode mode = GradMode::kOverwrite) {
  const auto src = in_double(in.src), gamma = in_double(in.gamma), y = in_double(dst), g = in_double(in.diff_dst);
  const std::size_t channels = in.gamma.size();
  const auto rows = static_cast<double>(p.rows);
  const auto sums = [&](double of) {
    return Bounded{std::vector<double>(channels, of), std::vector<double>(channels), rows};
  };
  ExpectedGradients e{{std::vector<double>(src.size(), double{kBefore}), {}, rows}, sums(0), sums(0)};
  reference::batch_norm_backward_sums(p.rows, p.channels, src.data(), y.data(), g.data(), s.view(), p.activation,
                                      e.diff_gamma.value.data(), e.diff_beta.value.data());
  reference::batch_norm_backward_data(
      p.rows, p.channels, src.data(), y.data(), g.data(), s.view(),
      kind == kBatch ? reference::StatisticsSource::kBatch : reference::StatisticsSource::kRunning, p.activation,
      gamma.data(), e.diff_gamma.value.data(), e.diff_beta.value.data(), mode, e.diff_src.value.data());
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % channels;
    e.diff_beta.magnitude[c] += std::abs(g[i]);
    e.diff_gamma.magnitude[c] += std::abs(g[i] * (src[i] - s.mean[c]) * s.rstd[c]);
  }
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t c = i % channels;
    const double normal = std::abs(src[i] - s.mean[c]) * s.rstd[c];
    const double sums_share = (e.diff_beta.magnitude[c] + normal * e.diff_gamma.magnitude[c]) / rows;
    e.diff_src.magnitude.push_back(std::abs(gamma[c]) * s.rstd[c] *
                                   (std::abs(g[i]) + (kind == kBatch ? sums_share : 0)));
  }
  return e;
}

}  // namespace cudacards::testing::batch_norm
