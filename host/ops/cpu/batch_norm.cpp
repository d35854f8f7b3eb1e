// Batch normalisation with its activation: two passes over memory forward (sums; normalise and activate) and two
// backward, nothing between them. The activation's mask is computed again from src, so backward never reads dst. oneDNN
// 2.6 takes a pass more each way, meets at a barrier many times a call, and leaves the activation to a pass of its own.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <type_traits>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cpu/lanes.h"
#include "host/ops/cpu/supports.h"
#include "host/ops/cpu/with_activation.h"
#include "host/ops/ops.h"
#include "host/runtime/buffer.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace cpu {
namespace {

enum ParameterIndex : std::size_t { kGamma, kBeta, kMean, kVariance };

constexpr std::int64_t kSpanElements = 192;  // the inner loops' length at least, however few the channels are
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
  bool is_whole(std::int64_t span) const { return (span + 1) * rows_each <= rows; }
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

  /// Calls body with the activation and with how results are stored: past the caches where they would not stay there,
  /// which spares reading what is about to be overwritten.
  template <class T, class Body>
  void with_activation_and_stores(const T* result, Body body) const {
    const bool streams = streams_to(result, spans_.rows * spans_.channels) && spans_.length % kVector == 0;
    with_activation(activation_, [&](auto kind) {
      if (streams) return body(kind, [](T* p, auto v) { stream(p, v); });
      body(kind, [](T* p, auto v) { put(p, v); });
    });
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

  /// Adds add_terms(V(), element, i, first, second) over all elements into two sums a channel, in an order that only the
  /// number of threads decides. `i` is the element's place in its span, that of the tables.
  template <class AddTerms>
  void add_up(void* scratchpad, AddTerms add_terms) const {
    double* all = sums(scratchpad);
    std::fill_n(all, 2 * threads_ * spans_.channels, 0.0);
    parallel_ranges(spans_.count, [&](std::int64_t begin, std::int64_t end, int thread) {
      float* first = table(scratchpad, kTables + 2 * thread);
      float* second = table(scratchpad, kTables + 2 * thread + 1);
      double* sum = all + 2 * thread * spans_.channels;
      for (std::int64_t from = begin; from < end; from += kSpansInFloat) {
        add_spans(from, std::min(from + kSpansInFloat, end), first, second, add_terms);
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

  /// The spans' sums, place by place: column after column of a block that the first cache holds, because sums that stay
  /// in registers take half the time of sums in memory.
  template <class AddTerms>
  void add_spans(std::int64_t from, std::int64_t to, float* first, float* second, AddTerms add_terms) const {
    const std::int64_t whole = to - (spans_.is_whole(to - 1) ? 0 : 1);
    std::int64_t i = 0;
#if CUDACARDS_AVX512
    for (; i + 64 <= spans_.length; i += 64) add_column<Lanes, 4>(from, whole, i, first, second, add_terms);
    for (; i + 16 <= spans_.length; i += 16) add_column<Lanes, 1>(from, whole, i, first, second, add_terms);
#endif
    for (; i < spans_.length; ++i) add_column<float, 1>(from, whole, i, first, second, add_terms);
    if (whole == to) return;
    in_lanes(spans_.elements(whole), [=, this](auto lanes, std::int64_t place) {
      using V = decltype(lanes);
      V sum = take<V>(first + place), sum_of_second = take<V>(second + place);
      add_terms(lanes, whole * spans_.length + place, place, sum, sum_of_second);
      put(first + place, sum);
      put(second + place, sum_of_second);
    });
  }

  template <class V, int kVectors, class AddTerms>
  void add_column(std::int64_t from, std::int64_t to, std::int64_t i, float* first, float* second,
                  AddTerms add_terms) const {
    constexpr std::int64_t kWidth = sizeof(V) / sizeof(float);
    V sum[kVectors], sum_of_second[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = sum_of_second[v] = everywhere<V>(0.0f);
    for (std::int64_t span = from; span < to; ++span) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const std::int64_t place = i + v * kWidth;
        add_terms(V(), span * spans_.length + place, place, sum[v], sum_of_second[v]);
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      put(first + i + v * kWidth, sum[v]);
      put(second + i + v * kWidth, sum_of_second[v]);
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
    const std::int64_t next_block = kSpansInFloat * spans_.length;
    add_up(scratchpad, [=](auto lanes, std::int64_t at, std::int64_t i, auto& first, auto& second) {
      using V = decltype(lanes);
      prefetch_soon(src, at + next_block);
      const V d = take<V>(src + at) - take<V>(centre + i);
      first = first + d;
      second = multiply_add(d, d, second);
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
    with_activation_and_stores(dst, [&](auto kind, auto store) {
      parallel_ranges(spans_.count, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t span = begin; span < end; ++span) {
          const T* x = src + span * spans_.length;
          T* y = dst + span * spans_.length;
          in_lanes(spans_.elements(span), [=](auto lanes, std::int64_t i) {
            using V = decltype(lanes);
            const V d = take<V>(x + i) - take<V>(centre + i);
            store(y + i, activated<decltype(kind)::value>(multiply_add(d, take<V>(scale + i), take<V>(shift + i))));
          });
        }
        drain();
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
      set_gradient(args, kGamma, c, static_cast<float>(sum[spans_.channels + c] / deviation));
      set_gradient(args, kBeta, c, static_cast<float>(sum[c]));
    }
  }

  static void set_gradient(const BackwardArgs& args, ParameterIndex which, std::int64_t c, float value) {
    float* diff = args.diff_parameters[which];
    if (diff) diff[c] = args.diff_parameters_mode == GradMode::kAccumulate ? diff[c] + value : value;
  }

  /// sum of g, and of g * (x - mean).
  template <class T>
  void gradient_sums(const BackwardArgs& args, const T* src) const {
    const auto* diff_dst = static_cast<const T*>(args.diff_dst);
    const float* centre = table(args.scratchpad, kCentre);
    const float* scale = table(args.scratchpad, kScale);
    const float* shift = table(args.scratchpad, kShift);
    const std::int64_t next_block = kSpansInFloat * spans_.length;
    with_activation(activation_, [&](auto kind) {
      add_up(args.scratchpad, [=](auto lanes, std::int64_t at, std::int64_t i, auto& first, auto& second) {
        using V = decltype(lanes);
        prefetch_soon(src, at + next_block);
        prefetch_soon(diff_dst, at + next_block);
        const V d = take<V>(src + at) - take<V>(centre + i);
        const V y = multiply_add(d, take<V>(scale + i), take<V>(shift + i));
        const V g = gradient_through<decltype(kind)::value, T>(y, take<V>(diff_dst + at));
        first = first + g;
        second = multiply_add(g, d, second);
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
    const bool accumulates = args.diff_src_mode[0] == GradMode::kAccumulate;
    with_activation_and_stores(diff_src, [&](auto kind, auto store) {
      parallel_ranges(spans_.count, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t span = begin; span < end; ++span) {
          const T* x = src + span * spans_.length;
          const T* diff = diff_dst + span * spans_.length;
          T* result = diff_src + span * spans_.length;
          in_lanes(spans_.elements(span), [=](auto lanes, std::int64_t i) {
            using V = decltype(lanes);
            const V d = take<V>(x + i) - take<V>(centre + i), s = take<V>(scale + i);
            const V y = multiply_add(d, s, take<V>(shift + i));
            const V g = gradient_through<decltype(kind)::value, T>(y, take<V>(diff + i));
            V sum = multiply_add(s, g, multiply_add(take<V>(slope + i), d, take<V>(offset + i)));
            if (accumulates) sum = sum + take<V>(result + i);
            store(result + i, sum);
          });
        }
        drain();
      });
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
