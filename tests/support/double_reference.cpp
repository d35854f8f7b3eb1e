#include "tests/support/double_reference.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/ops/reference/batch_norm.h"
#include "host/ops/reference/conv2d.h"
#include "host/ops/reference/dense.h"
#include "host/ops/reference/elementwise.h"
#include "host/ops/reference/pool.h"
#include "host/ops/reference/softmax.h"
#include "host/runtime/error.h"

namespace cudacards::testing {
namespace {

using Vector = std::vector<double>;
constexpr auto kSet = GradMode::kOverwrite;

Vector absolute(Vector values) {
  for (double& x : values) x = std::abs(x);
  return values;
}

Vector zeros(std::int64_t count) { return Vector(static_cast<std::size_t>(count)); }

/// Exact but for rounding: the magnitude is the value itself.
Bounded plain(Vector values, double terms = 1) {
  Vector magnitude = absolute(values);
  return {std::move(values), std::move(magnitude), terms};
}

/// A linear function of its inputs, once with their values and once with their absolute values, which gives the sum of
/// |terms|.
template <class Function>
Bounded linear(std::int64_t elements, double terms, const Vector& a, const Vector& b, const Vector& bias,
               Function&& function) {
  Bounded result{zeros(elements), zeros(elements), terms};
  function(a, b, bias, result.value);
  function(absolute(a), absolute(b), absolute(bias), result.magnitude);
  return result;
}

const double* data_or_null(const Vector& v) { return v.empty() ? nullptr : v.data(); }

void activate(Activation activation, Vector& values) {
  for (double& x : values) x = apply(activation, x);
}

Vector through_activation(Activation activation, const Vector& dst, const Vector& diff_dst) {
  Vector diff = zeros(static_cast<std::int64_t>(dst.size()));
  reference::activation_backward(activation, static_cast<std::int64_t>(dst.size()), dst.data(), diff_dst.data(), kSet,
                                 diff.data());
  return diff;
}

DoubleOutputs evaluate_op(const Conv2d& op, const OpCase& c, const DoubleInputs& in) {
  const Conv2dProblem p = op.problem(c.src[0]);
  const Vector& weights = in.parameters[0];
  const Vector bias = op.options.bias ? in.parameters[1] : Vector{};
  const double taps = static_cast<double>(p.r) * p.s;
  DoubleOutputs out;
  out.dst = linear(p.dst_elements(), taps * p.c_per_group() + 1, in.src[0], weights, bias,
                   [&](const Vector& src, const Vector& w, const Vector& b, Vector& dst) {
                     reference::conv2d_forward(p, src.data(), w.data(), data_or_null(b), Activation::kNone, dst.data());
                   });
  activate(op.options.activation, out.dst.value);
  Vector diff = in.diff_dst;
  double terms_a_gradient = 1;
  if (op.pool) {
    const Pool2dProblem pool = MaxPool2d(*op.pool).problem({p.n, p.p(), p.q(), p.k});
    std::vector<std::int32_t> argmax(static_cast<std::size_t>(pool.dst_elements()));
    Bounded pooled{zeros(pool.dst_elements()), zeros(pool.dst_elements()), out.dst.terms};
    reference::max_pool_forward(pool, out.dst.magnitude.data(), pooled.magnitude.data(), argmax.data());
    reference::max_pool_forward(pool, out.dst.value.data(), pooled.value.data(), argmax.data());
    diff = zeros(p.dst_elements());
    reference::max_pool_backward(pool, in.diff_dst.data(), argmax.data(), kSet, diff.data());
    diff = through_activation(op.options.activation, out.dst.value, diff);
    out.dst = std::move(pooled);
    terms_a_gradient = static_cast<double>(pool.window_h) * pool.window_w;
  } else {
    diff = through_activation(op.options.activation, out.dst.value, diff);
  }
  out.diff_src.push_back(linear(p.src_elements(), taps * p.k_per_group() * terms_a_gradient, diff, weights, {},
                                [&](const Vector& d, const Vector& w, const Vector&, Vector& diff_src) {
                                  reference::conv2d_backward_data(p, d.data(), w.data(), kSet, diff_src.data());
                                }));
  const std::int64_t pixels = std::int64_t{p.n} * p.p() * p.q();
  out.diff_parameters.push_back(
      linear(p.weight_elements(), static_cast<double>(pixels) * terms_a_gradient, in.src[0], diff, {},
             [&](const Vector& src, const Vector& d, const Vector&, Vector& diff_weights) {
               reference::conv2d_backward_weights(p, src.data(), d.data(), kSet, diff_weights.data());
             }));
  if (op.options.bias) {
    out.diff_parameters.push_back(linear(p.k, static_cast<double>(pixels), diff, {}, {},
                                         [&](const Vector& d, const Vector&, const Vector&, Vector& diff_bias) {
                                           reference::bias_backward(pixels, p.k, d.data(), kSet, diff_bias.data());
                                         }));
  }
  return out;
}

DoubleOutputs evaluate_op(const Dense& op, const OpCase& c, const DoubleInputs& in) {
  const reference::DenseProblem p{c.src[0][0], c.src[0][1], op.units};
  const Vector bias = op.bias ? in.parameters[1] : Vector{};
  DoubleOutputs out;
  out.dst = linear(p.n * p.units, static_cast<double>(p.in) + 1, in.src[0], in.parameters[0], bias,
                   [&](const Vector& src, const Vector& w, const Vector& b, Vector& dst) {
                     reference::dense_forward(p, src.data(), w.data(), data_or_null(b), Activation::kNone, dst.data());
                   });
  activate(op.activation, out.dst.value);
  const Vector diff = through_activation(op.activation, out.dst.value, in.diff_dst);
  out.diff_src.push_back(linear(p.n * p.in, static_cast<double>(p.units), diff, in.parameters[0], {},
                                [&](const Vector& d, const Vector& w, const Vector&, Vector& diff_src) {
                                  reference::dense_backward_data(p, d.data(), w.data(), kSet, diff_src.data());
                                }));
  out.diff_parameters.push_back(linear(p.units * p.in, static_cast<double>(p.n), in.src[0], diff, {},
                                       [&](const Vector& src, const Vector& d, const Vector&, Vector& diff_weights) {
                                         reference::dense_backward_weights(p, src.data(), d.data(), kSet,
                                                                           diff_weights.data());
                                       }));
  if (op.bias) {
    out.diff_parameters.push_back(linear(p.units, static_cast<double>(p.n), diff, {}, {},
                                         [&](const Vector& d, const Vector&, const Vector&, Vector& diff_bias) {
                                           reference::bias_backward(p.n, p.units, d.data(), kSet, diff_bias.data());
                                         }));
  }
  return out;
}

DoubleOutputs evaluate_op(const MaxPool2d& op, const OpCase& c, const DoubleInputs& in) {
  const Pool2dProblem p = op.problem(c.src[0]);
  Vector dst = zeros(p.dst_elements()), diff_src = zeros(p.src_elements());
  std::vector<std::int32_t> argmax(dst.size());
  reference::max_pool_forward(p, in.src[0].data(), dst.data(), argmax.data());
  reference::max_pool_backward(p, in.diff_dst.data(), argmax.data(), kSet, diff_src.data());
  Vector magnitude = zeros(p.src_elements());
  reference::max_pool_backward(p, absolute(in.diff_dst).data(), argmax.data(), kSet, magnitude.data());
  return {plain(std::move(dst)),
          {{std::move(diff_src), std::move(magnitude), static_cast<double>(p.window_h) * p.window_w}},
          {}};
}

DoubleOutputs evaluate_op(const GlobalAveragePool2d&, const OpCase& c, const DoubleInputs& in) {
  const std::int64_t n = c.src[0][0], pixels = c.src[0][1] * c.src[0][2], channels = c.src[0][3];
  DoubleOutputs out;
  out.dst = linear(n * channels, static_cast<double>(pixels), in.src[0], {}, {},
                   [&](const Vector& src, const Vector&, const Vector&, Vector& dst) {
                     reference::global_average_pool_forward(n, pixels, channels, src.data(), dst.data());
                   });
  Vector diff_src = zeros(n * pixels * channels);
  reference::global_average_pool_backward(n, pixels, channels, in.diff_dst.data(), kSet, diff_src.data());
  out.diff_src.push_back(plain(std::move(diff_src)));
  return out;
}

DoubleOutputs evaluate_op(const ActivationLayer& op, const OpCase&, const DoubleInputs& in) {
  Vector dst = in.src[0];
  activate(op.activation, dst);
  Vector diff = through_activation(op.activation, dst, in.diff_dst);
  return {plain(std::move(dst)), {plain(std::move(diff))}, {}};
}

DoubleOutputs evaluate_op(const Softmax&, const OpCase& c, const DoubleInputs& in) {
  const std::int64_t classes = c.src[0].sizes().back(), rows = c.src[0].elements() / classes;
  Bounded dst{zeros(rows * classes), zeros(rows * classes), static_cast<double>(classes)};
  Bounded diff = dst;
  reference::softmax_forward(rows, classes, in.src[0].data(), dst.value.data());
  reference::softmax_backward(rows, classes, dst.value.data(), in.diff_dst.data(), kSet, diff.value.data());
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto first = static_cast<std::size_t>(row * classes), last = first + static_cast<std::size_t>(classes);
    const double largest = *std::max_element(&in.src[0][first], &in.src[0][first] + classes);
    double shared = 0;
    for (auto i = first; i < last; ++i) shared += std::abs(in.diff_dst[i]) * dst.value[i];
    for (auto i = first; i < last; ++i) {
      dst.magnitude[i] =
          dst.value[i] * (1 + largest - in.src[0][i]);  // the exponent's rounding is relative to its argument
      diff.magnitude[i] = dst.magnitude[i] * (std::abs(in.diff_dst[i]) + shared);
      if (c.dst_type == DType::kBf16) diff.magnitude[i] *= 32768;  // 2^-9 / 2^-24: backward reads dst as it was stored
    }
  }
  return {std::move(dst), {std::move(diff)}, {}};
}

DoubleOutputs evaluate_op(const Dropout& op, const OpCase& c, const DoubleInputs& in, const Step& step) {
  const reference::DropoutMask mask{op.rate, step.seed, step.number, static_cast<std::uint32_t>(c.problem().node)};
  const auto count = c.src[0].elements();
  Vector dst = zeros(count), diff = zeros(count);
  reference::dropout(mask, count, in.src[0].data(), kSet, dst.data());
  reference::dropout(mask, count, in.diff_dst.data(), kSet, diff.data());
  return {plain(std::move(dst)), {plain(std::move(diff))}, {}};
}

DoubleOutputs evaluate_op(const Add&, const OpCase& c, const DoubleInputs& in) {
  Vector dst = zeros(c.src[0].elements());
  reference::add_forward(c.src[0].elements(), in.src[0].data(), in.src[1].data(), dst.data());
  return {plain(std::move(dst)), {plain(in.diff_dst), plain(in.diff_dst)}, {}};
}

DoubleOutputs evaluate_op(const BatchNorm& op, const OpCase& c, const DoubleInputs& in) {
  const std::int64_t channels = c.src[0].sizes().back(), rows = c.src[0].elements() / channels;
  const double terms = static_cast<double>(rows);
  const Vector &src = in.src[0], &gamma = in.parameters[0], &beta = in.parameters[1];
  Vector mean = zeros(channels), inverse = zeros(channels), variance = zeros(channels);
  const reference::ChannelStatistics statistics{mean.data(), inverse.data()};
  reference::batch_statistics(rows, channels, src.data(), op.epsilon, statistics, variance.data());
  Bounded dst{zeros(rows * channels), zeros(rows * channels), terms};
  Bounded diff_gamma{zeros(channels), zeros(channels), terms}, diff_beta = diff_gamma, diff = dst;
  reference::batch_norm_forward(rows, channels, src.data(), statistics, gamma.data(), beta.data(), op.activation,
                                dst.value.data());
  reference::batch_norm_backward_sums(rows, channels, src.data(), dst.value.data(), in.diff_dst.data(), statistics,
                                      op.activation, diff_gamma.value.data(), diff_beta.value.data());
  reference::batch_norm_backward_data(rows, channels, src.data(), dst.value.data(), in.diff_dst.data(), statistics,
                                      reference::StatisticsSource::kBatch, op.activation, gamma.data(),
                                      diff_gamma.value.data(), diff_beta.value.data(), kSet, diff.value.data());
  // What the errors of mean and deviation are amplified by: |x| where x_hat has x - mean, both over the deviation.
  Vector spread = zeros(channels);
  for (std::size_t i = 0; i < src.size(); ++i)
    spread[i % spread.size()] = std::max(spread[i % spread.size()], std::abs(src[i]));
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t ch = i % spread.size();
    const double normal = 2 * spread[ch] * inverse[ch];
    dst.magnitude[i] = std::abs(gamma[ch]) * normal * (1 + normal * normal) + std::abs(beta[ch]);
    diff_beta.magnitude[ch] += std::abs(in.diff_dst[i]);
    diff_gamma.magnitude[ch] += std::abs(in.diff_dst[i]) * normal * (1 + normal * normal);
  }
  for (std::size_t i = 0; i < src.size(); ++i) {
    const std::size_t ch = i % spread.size();
    const double normal = 2 * spread[ch] * inverse[ch];
    diff.magnitude[i] =
        std::abs(gamma[ch]) * inverse[ch] * (1 + normal * normal) *
        (std::abs(in.diff_dst[i]) + (diff_beta.magnitude[ch] + normal * diff_gamma.magnitude[ch]) / terms);
  }
  return {std::move(dst), {std::move(diff)}, {std::move(diff_gamma), std::move(diff_beta), {}, {}}};
}

DoubleOutputs evaluate_any(const OpCase& c, const DoubleInputs& inputs, const Step& step) {
  const Operation* op = c.operation.get();
  if (const auto* conv = dynamic_cast<const Conv2d*>(op)) return evaluate_op(*conv, c, inputs);
  if (const auto* dense = dynamic_cast<const Dense*>(op)) return evaluate_op(*dense, c, inputs);
  if (const auto* pool = dynamic_cast<const MaxPool2d*>(op)) return evaluate_op(*pool, c, inputs);
  if (const auto* average = dynamic_cast<const GlobalAveragePool2d*>(op)) return evaluate_op(*average, c, inputs);
  if (const auto* activation = dynamic_cast<const ActivationLayer*>(op)) return evaluate_op(*activation, c, inputs);
  if (const auto* softmax = dynamic_cast<const Softmax*>(op)) return evaluate_op(*softmax, c, inputs);
  if (const auto* dropout = dynamic_cast<const Dropout*>(op)) return evaluate_op(*dropout, c, inputs, step);
  if (const auto* add = dynamic_cast<const Add*>(op)) return evaluate_op(*add, c, inputs);
  if (const auto* norm = dynamic_cast<const BatchNorm*>(op)) return evaluate_op(*norm, c, inputs);
  CUDACARDS_CHECK(false, std::string(op->kind()));
  return {};
}

}  // namespace

DoubleInputs::DoubleInputs(const OpInputs& inputs) : diff_dst(inputs.diff_dst.begin(), inputs.diff_dst.end()) {
  for (const auto& values : inputs.src) src.emplace_back(values.begin(), values.end());
  for (const auto& values : inputs.parameters) parameters.emplace_back(values.begin(), values.end());
}

DoubleOutputs evaluate(const OpCase& c, const DoubleInputs& inputs, const Step& step) {
  DoubleOutputs out = evaluate_any(c, inputs, step);
  if (c.diff_src == GradMode::kIgnore) out.diff_src.assign(out.diff_src.size(), {});
  return out;
}

}  // namespace cudacards::testing
