// Every operation's sums: how many terms, and how large they can be together.

#include <cmath>

#include "host/ops/folded_conv2d.h"
#include "host/ops/ops.h"
#include "host/ops/sources.h"

namespace cudacards {
namespace {

/// Of products of inputs: each term is at most 1.
ErrorScale sum_of(double terms) { return {terms, terms}; }

/// How many windows an element lies in.
double overlap(const Pool2dOptions& o) {
  const auto along = [](int window, int step) { return std::ceil(static_cast<double>(window) / step); };
  return along(o.window.h, o.step().h) * along(o.window.w, o.step().w);
}

}  // namespace

std::optional<ErrorScales> Conv2d::error_scales(std::span<const Shape> src) const {
  const Conv2dProblem p = problem(only_source(src));
  const double taps = static_cast<double>(p.r) * p.s, pixels = static_cast<double>(p.n) * p.p() * p.q();
  const double windows = pool ? overlap(*pool) : 1;  // that send their gradients to one element
  ErrorScales scales{.dst = sum_of(taps * p.c_per_group() + 1),
                     .diff_src = sum_of(taps * p.k_per_group() * windows),
                     .diff_parameters = {sum_of(pixels * windows)}};
  if (options.bias) scales.diff_parameters.push_back(sum_of(pixels * windows));
  return scales;
}

std::optional<ErrorScales> FoldedConv2d::error_scales(std::span<const Shape> src) const {
  // Drawn gammas are at most 3/4, variances at least 1/2, so that a weight grows by 1.07 and mean and bias with it; a
  // beta is 3. On whole numbers the scale is 1.
  constexpr double kScale = 1.07, kBeta = 3;
  ErrorScales scales = *whole.error_scales(src);
  const double products = scales.dst.terms - 1;
  scales.dst.magnitude = kScale * (products + 2) + kBeta;
  scales.dst.made = kScale * kScale * products;
  scales.diff_parameters.resize(parameters(src).size());  // of which there are no gradients
  return scales;
}

std::optional<ErrorScales> Dense::error_scales(std::span<const Shape> src) const {
  const auto rows = static_cast<double>(only_source(src)[0]), in = static_cast<double>(only_source(src)[1]);
  ErrorScales scales{.dst = sum_of(in + 1), .diff_src = sum_of(units), .diff_parameters = {sum_of(rows)}};
  if (bias) scales.diff_parameters.push_back(sum_of(rows));
  return scales;
}

std::optional<ErrorScales> MaxPool2d::error_scales(std::span<const Shape>) const {
  return ErrorScales{.dst = {}, .diff_src = sum_of(overlap(options)), .diff_parameters = {}};
}

std::optional<ErrorScales> GlobalAveragePool2d::error_scales(std::span<const Shape> src) const {
  const Shape& shape = only_source(src);
  return ErrorScales{.dst = {static_cast<double>(shape[1] * shape[2]), 1},
                     .diff_src = {},
                     .diff_parameters = {},
                     .is_exact_on_whole_numbers = false};
}

std::optional<ErrorScales> ActivationLayer::error_scales(std::span<const Shape>) const { return ErrorScales{}; }

std::optional<ErrorScales> Softmax::error_scales(std::span<const Shape> src) const {
  // exp(x - largest), |x| <= 1: the argument's rounding, at most 2 eps, is the result's relative error. Backward reads
  // dst as it was stored, which in bf16 is 2^15 times as coarse as a sum in fp32.
  const auto classes = static_cast<double>(only_source(src).sizes().back());
  return ErrorScales{.dst = {classes, 3},
                     .diff_src = {classes, 6 * 32768.0},
                     .diff_parameters = {},
                     .is_exact_on_whole_numbers = false};
}

std::optional<ErrorScales> Dropout::error_scales(std::span<const Shape>) const {
  const ErrorScale scaled{1, 1 / (1.0 - rate)};
  return ErrorScales{.dst = scaled, .diff_src = scaled, .diff_parameters = {}};
}

std::optional<ErrorScales> Add::error_scales(std::span<const Shape>) const {
  return ErrorScales{.dst = sum_of(2), .diff_src = {}, .diff_parameters = {}};
}

std::optional<ErrorScales> BatchNorm::error_scales(std::span<const Shape> src) const {
  // Uniform inputs are at most sqrt(3) deviations from their mean, drawn ones hardly more; the errors of mean and
  // deviation are amplified by that distance and by its square.
  constexpr double kNormal = 4, kGamma = 1.5, kBeta = 3, kAmplified = kNormal * (1 + kNormal * kNormal);
  const Shape& shape = only_source(src);
  const auto rows = static_cast<double>(shape.elements() / shape.sizes().back());
  return ErrorScales{.dst = {rows, kGamma * kAmplified + kBeta},
                     .diff_src = {rows, kGamma * kNormal * kAmplified},
                     .diff_parameters = {{rows, rows * kAmplified}, {rows, rows}, {}, {}},
                     .is_exact_on_whole_numbers = false};
}

}  // namespace cudacards
