// Batch normalisation with its activation: two passes over memory forward (sums; normalise and activate) and two
// backward, nothing between them. The activation's mask is computed again from src, so backward never reads dst. oneDNN
// 2.6 takes a pass more each way, meets at a barrier many times a call, and leaves the activation to a pass of its own.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/cpu/with_activation.h"
#include "host/ops/ops.h"
#include "host/runtime/buffer.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace cpu {
namespace {

enum ParameterIndex : std::size_t { kGamma, kBeta, kMean, kVariance };

constexpr std::int64_t kSpanElements = 512;  // the inner loops' length at least, however few the channels are
constexpr std::int64_t kVector = 16;
constexpr std::int64_t kSpansInFloat = 32;  // so many values are added in fp32 before double takes over
constexpr std::int64_t kRowsOfShift = 64;   // whose mean is near enough to the batch's for sums of squares

/// A run of whole rows that the inner loops take as one: R rows of C channels with every channel's numbers R times.
struct Spans {
  std::int64_t channels, rows;             // of the tensor
  std::int64_t rows_each = 0, length = 0;  // R, R * C
  std::int64_t count = 0;                  // the last may be short

  Spans(std::int64_t channels, std::int64_t rows) : channels(channels), rows(rows) {
    const std::int64_t whole_vectors = kVector / std::gcd(channels, kVector);
    rows_each = (kSpanElements + channels - 1) / channels;
    rows_each = std::min((rows_each + whole_vectors - 1) / whole_vectors * whole_vectors, rows);
    length = rows_each * channels;
    count = (rows + rows_each - 1) / rows_each;
  }
  std::int64_t elements(std::int64_t span) const { return std::min(rows_each, rows - span * rows_each) * channels; }
};

class BatchNormKernel final : public Kernel {
 public:
  BatchNormKernel(const BatchNorm& norm, const Problem& problem)
      : type_(problem.src[0].type),
        spans_(problem.dst.shape.sizes().back(), problem.dst.shape.elements() / problem.dst.shape.sizes().back()),
        momentum_(norm.momentum),
        epsilon_(norm.epsilon),
        activation_(norm.activation),
        training_(problem.training),
        frozen_(!problem.diff_parameters_wanted),
        threads_(std::max(1, problem.threads)) {}

  MemoryNeed memory() const override {
    const auto floats = static_cast<std::size_t>(kTables * spans_.length + 2 * threads_ * spans_.length);
    const auto doubles = static_cast<std::size_t>(2 * threads_ * spans_.channels);
    return {.workspace = training_ ? 2 * static_cast<std::size_t>(spans_.channels) * sizeof(float) : 0,
            .scratchpad = align_up(floats * sizeof(float)) + doubles * sizeof(double),
            .backward_reads_src = training_,
            .backward_reads_dst = false};
  }

  void forward(const ForwardArgs& args) override {
    with_type([&](auto value) { forward(args, static_cast<const decltype(value)*>(args.src[0])); });
  }
  void backward(const BackwardArgs& args) override {
    with_type([&](auto value) { backward(args, static_cast<const decltype(value)*>(args.src[0])); });
  }

 private:
  // Tables of one number a channel, repeated over a span.
  enum Table : std::int64_t { kCentre, kScale, kShift, kSlope, kOffset, kTables };

  template <class Body>
  void with_type(Body body) const {
    if (type_ == DType::kBf16) return body(Bf16());
    body(float());
  }

  bool of_batch(const Step& step) const { return step.training && training_ && !frozen_; }
  float* table(void* scratchpad, std::int64_t which) const {
    return static_cast<float*>(scratchpad) + which * spans_.length;
  }
  template <class Value>
  void fill(void* scratchpad, Table which, Value value) const {
    float* row = table(scratchpad, which);
    for (std::int64_t c = 0; c < spans_.channels; ++c) row[c] = value(c);
    for (std::int64_t i = spans_.channels; i < spans_.length; ++i) row[i] = row[i - spans_.channels];
  }
  /// (2, channels) of each thread.
  double* sums(void* scratchpad) const {
    const auto floats = static_cast<std::size_t>(kTables * spans_.length + 2 * threads_ * spans_.length);
    return reinterpret_cast<double*>(static_cast<std::byte*>(scratchpad) + align_up(floats * sizeof(float)));
  }

  /// Adds terms(element, i, first, second) over all elements into two sums a channel, in an order that only the number
  /// of threads decides.
  template <class Terms>
  void add_up(void* scratchpad, Terms terms) const {
    double* all = sums(scratchpad);
    std::fill_n(all, 2 * threads_ * spans_.channels, 0.0);
    parallel_ranges(spans_.count, [&](std::int64_t begin, std::int64_t end, int thread) {
      float* first = table(scratchpad, kTables + 2 * thread);
      float* second = table(scratchpad, kTables + 2 * thread + 1);
      double* sum = all + 2 * thread * spans_.channels;
      for (std::int64_t from = begin; from < end; from += kSpansInFloat) {
        std::fill_n(first, spans_.length, 0.0f);
        std::fill_n(second, spans_.length, 0.0f);
        for (std::int64_t span = from; span < std::min(from + kSpansInFloat, end); ++span)
          terms(span * spans_.length, spans_.elements(span), first, second);
        for (std::int64_t i = 0; i < spans_.length; i += spans_.channels) {
          for (std::int64_t c = 0; c < spans_.channels; ++c) sum[c] += static_cast<double>(first[i + c]);
          for (std::int64_t c = 0; c < spans_.channels; ++c)
            sum[spans_.channels + c] += static_cast<double>(second[i + c]);
        }
      }
    });
    for (std::int64_t thread = 1; thread < threads_; ++thread) {
      for (std::int64_t i = 0; i < 2 * spans_.channels; ++i) all[i] += all[2 * thread * spans_.channels + i];
    }
  }

  /// Mean and biased variance of the batch, by sums about a value near the mean.
  template <class T>
  void batch_statistics(const T* src, void* scratchpad, float* mean, float* variance) const {
    const std::int64_t near = std::min(kRowsOfShift, spans_.rows);
    fill(scratchpad, kCentre, [&](std::int64_t c) {
      float sum = 0;
      for (std::int64_t row = 0; row < near; ++row) sum += static_cast<float>(src[row * spans_.channels + c]);
      return sum / static_cast<float>(near);
    });
    const float* centre = table(scratchpad, kCentre);
    add_up(scratchpad, [&](std::int64_t begin, std::int64_t count, float* first, float* second) {
      const T* x = src + begin;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < count; ++i) {
        const float d = static_cast<float>(x[i]) - centre[i];
        first[i] += d;
        second[i] += d * d;
      }
    });
    const double* sum = sums(scratchpad);
    const auto n = static_cast<double>(spans_.rows);
    for (std::int64_t c = 0; c < spans_.channels; ++c) {
      const double offset = sum[c] / n;
      mean[c] = static_cast<float>(static_cast<double>(centre[c]) + offset);
      // A NaN stays one: std::max would take the 0.
      const double v = sum[spans_.channels + c] / n - offset * offset;
      variance[c] = static_cast<float>(v < 0 ? 0 : v);
    }
  }

  template <class T>
  void forward(const ForwardArgs& args, const T* src) const {
    const float* mean = args.parameters[kMean];
    const float* variance = args.parameters[kVariance];
    if (of_batch(args.step)) {
      auto* batch_mean = static_cast<float*>(args.workspace);
      auto* batch_variance = batch_mean + spans_.channels;
      batch_statistics(src, args.scratchpad, batch_mean, batch_variance);
      average(batch_mean, args.parameters[kMean]);
      average(batch_variance, args.parameters[kVariance]);
      mean = batch_mean;
      variance = batch_variance;
    }
    fill_normalisation(args.scratchpad, mean, variance, args.parameters[kGamma], args.parameters[kBeta]);
    const float* centre = table(args.scratchpad, kCentre);
    const float* scale = table(args.scratchpad, kScale);
    const float* shift = table(args.scratchpad, kShift);
    auto* dst = static_cast<T*>(args.dst);
    with_activation(activation_, [&](auto kind) {
      parallel_ranges(spans_.count, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t span = begin; span < end; ++span) {
          const T* x = src + span * spans_.length;
          T* y = dst + span * spans_.length;
          const std::int64_t count = spans_.elements(span);
#pragma GCC ivdep
          for (std::int64_t i = 0; i < count; ++i)
            y[i] = static_cast<T>(
                apply(decltype(kind)::value, (static_cast<float>(x[i]) - centre[i]) * scale[i] + shift[i]));
        }
      });
    });
  }

  void fill_normalisation(void* scratchpad, const float* mean, const float* variance, const float* gamma,
                          const float* beta) const {
    fill(scratchpad, kCentre, [&](std::int64_t c) { return mean[c]; });
    fill(scratchpad, kScale, [&](std::int64_t c) { return gamma[c] / std::sqrt(variance[c] + epsilon_); });
    fill(scratchpad, kShift, [&](std::int64_t c) { return beta[c]; });
  }

  void average(const float* batch, float* running) const {
    for (std::int64_t c = 0; c < spans_.channels; ++c)
      running[c] = momentum_ * running[c] + (1.0f - momentum_) * batch[c];
  }

  template <class T>
  void backward(const BackwardArgs& args, const T* src) const {
    const bool batch = of_batch(args.step);
    const auto* batch_mean = static_cast<const float*>(args.workspace);
    const float* mean = batch ? batch_mean : args.parameters[kMean];
    const float* variance = batch ? batch_mean + spans_.channels : args.parameters[kVariance];
    fill_normalisation(args.scratchpad, mean, variance, args.parameters[kGamma], args.parameters[kBeta]);
    const bool wants_parameters = !frozen_ && args.diff_parameters_mode != GradMode::kIgnore;
    if (batch || wants_parameters) gradient_sums(args, src);
    const double* sum = sums(args.scratchpad);
    if (args.diff_src_mode[0] != GradMode::kIgnore) {
      const double share = batch ? 1.0 / static_cast<double>(spans_.rows) : 0.0;
      // diff_src = scale * (g - mean(g) - (x - mean) / (variance + epsilon) * mean(g (x - mean)))
      const float* scale = table(args.scratchpad, kScale);
      fill(args.scratchpad, kSlope, [&](std::int64_t c) {
        return batch ? static_cast<float>(-share * scale[c] * sum[spans_.channels + c] /
                                          (static_cast<double>(variance[c]) + static_cast<double>(epsilon_)))
                     : 0.0f;
      });
      fill(args.scratchpad, kOffset, [&](std::int64_t c) {
        return batch ? static_cast<float>(-share * static_cast<double>(scale[c]) * sum[c]) : 0.0f;
      });
      diff_source(args, src);
    }
    if (!wants_parameters) return;
    for (std::int64_t c = 0; c < spans_.channels; ++c) {
      const auto deviation = std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon_));
      put(args, kGamma, c, static_cast<float>(sum[spans_.channels + c] / deviation));
      put(args, kBeta, c, static_cast<float>(sum[c]));
    }
  }

  static void put(const BackwardArgs& args, ParameterIndex which, std::int64_t c, float value) {
    float* diff = args.diff_parameters[which];
    if (diff) diff[c] = args.diff_parameters_mode == GradMode::kAccumulate ? diff[c] + value : value;
  }

  /// The gradient behind the activation. The result is computed as forward did, to the last bit.
  template <class T, Activation kind>
  static float gradient(T x, T diff, float centre, float scale, float shift) {
    const auto g = static_cast<float>(diff);
    if constexpr (kind == Activation::kNone) return g;
    const auto y = static_cast<float>(static_cast<T>(apply(kind, (static_cast<float>(x) - centre) * scale + shift)));
    return derivative_from_result(kind, y) != 0.0f ? g : 0.0f;
  }

  /// sum of g, and of g * (x - mean).
  template <class T>
  void gradient_sums(const BackwardArgs& args, const T* src) const {
    const auto* diff_dst = static_cast<const T*>(args.diff_dst);
    const float* centre = table(args.scratchpad, kCentre);
    const float* scale = table(args.scratchpad, kScale);
    const float* shift = table(args.scratchpad, kShift);
    with_activation(activation_, [&](auto kind) {
      add_up(args.scratchpad, [&](std::int64_t begin, std::int64_t count, float* first, float* second) {
        const T* x = src + begin;
        const T* diff = diff_dst + begin;
#pragma GCC ivdep
        for (std::int64_t i = 0; i < count; ++i) {
          const float g = gradient<T, decltype(kind)::value>(x[i], diff[i], centre[i], scale[i], shift[i]);
          first[i] += g;
          second[i] += g * (static_cast<float>(x[i]) - centre[i]);
        }
      });
    });
  }

  template <class T>
  void diff_source(const BackwardArgs& args, const T* src) const {
    const auto* diff_dst = static_cast<const T*>(args.diff_dst);
    auto* diff_src = static_cast<T*>(args.diff_src[0]);
    const float* centre = table(args.scratchpad, kCentre);
    const float* scale = table(args.scratchpad, kScale);
    const float* shift = table(args.scratchpad, kShift);
    const float* slope = table(args.scratchpad, kSlope);
    const float* offset = table(args.scratchpad, kOffset);
    const auto each = [&](auto kind, auto accumulates) {
      parallel_ranges(spans_.count, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t span = begin; span < end; ++span) {
          const T* x = src + span * spans_.length;
          const T* diff = diff_dst + span * spans_.length;
          T* result = diff_src + span * spans_.length;
          const std::int64_t count = spans_.elements(span);
#pragma GCC ivdep
          for (std::int64_t i = 0; i < count; ++i) {
            const float g = gradient<T, decltype(kind)::value>(x[i], diff[i], centre[i], scale[i], shift[i]);
            const float d = scale[i] * g + (slope[i] * (static_cast<float>(x[i]) - centre[i]) + offset[i]);
            result[i] = static_cast<T>(decltype(accumulates)::value ? static_cast<float>(result[i]) + d : d);
          }
        }
      });
    };
    with_activation(activation_, [&](auto kind) {
      if (args.diff_src_mode[0] == GradMode::kAccumulate) return each(kind, std::true_type());
      each(kind, std::false_type());
    });
  }

  const DType type_;
  const Spans spans_;
  const float momentum_, epsilon_;
  const Activation activation_;
  const bool training_, frozen_;
  const std::int64_t threads_;
};

}  // namespace
}  // namespace cpu

constinit const Implementation kCpuBatchNorm = {"vectorised", "hand", cpu::supports_one_type,
                                                cpu::make_kernel<cpu::BatchNormKernel, BatchNorm>};

}  // namespace cudacards
