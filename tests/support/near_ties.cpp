#include "tests/support/near_ties.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "tests/support/double_reference.h"

namespace cudacards::testing {
namespace {

/// What an operation computes before it compares: its linear part, the activation, the pool.
struct Parts {
  std::shared_ptr<const Operation> linear;
  Activation activation = Activation::kNone;
  std::optional<Pool2dOptions> pool;
};

std::optional<Parts> parts_of(const Operation& op) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(&op)) {
    Conv2dOptions options = conv->options;
    options.activation = Activation::kNone;
    return Parts{std::make_shared<const Conv2d>(options), conv->options.activation, conv->pool};
  }
  if (const auto* dense = dynamic_cast<const Dense*>(&op))
    return Parts{std::make_shared<const Dense>(dense->units, Activation::kNone, dense->bias), dense->activation, {}};
  if (const auto* norm = dynamic_cast<const BatchNorm*>(&op))
    return Parts{std::make_shared<const BatchNorm>(norm->momentum, norm->epsilon), norm->activation, {}};
  return std::nullopt;  // the others compare their sources, which are exact
}

struct Uncertain {
  double value, error;
};

bool hinges_on_a_clamp(Activation activation, const Uncertain& x) {
  if (activation == Activation::kNone) return false;
  return std::abs(x.value) <= x.error || (activation == Activation::kRelu6 && std::abs(x.value - 6) <= x.error);
}

/// The error of one element's sum and of its rounding, as within_bound() has it.
double error_of(const Bounded& values, std::size_t i, DType type) {
  const double roundoff = type == DType::kBf16 ? std::ldexp(1.0, -9) : std::ldexp(1.0, -24);
  return 4 * std::ldexp(1.0, -24) * std::sqrt(values.terms) * values.magnitude[i] +
         2 * roundoff * std::abs(values.value[i]);
}

}  // namespace

OpInputs without_near_ties(const OpCase& c, OpInputs inputs) {
  const auto parts = parts_of(*c.operation);
  if (!parts || (parts->activation == Activation::kNone && !parts->pool)) return inputs;
  OpCase linear = c;
  linear.operation = parts->linear;
  OpInputs for_linear = inputs;
  for_linear.diff_dst.assign(static_cast<std::size_t>(linear.dst().elements()), 0.0f);
  const Bounded values = evaluate(linear, DoubleInputs(for_linear), RunOptions{}.step).dst;
  const auto at = [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    return Uncertain{values.value[index], error_of(values, index, c.dst_type)};
  };
  if (!parts->pool) {
    for (std::size_t i = 0; i < inputs.diff_dst.size(); ++i) {
      if (hinges_on_a_clamp(parts->activation, at(static_cast<std::int64_t>(i)))) inputs.diff_dst[i] = 0;
    }
    return inputs;
  }
  const Pool2dProblem pool = MaxPool2d(*parts->pool).problem(linear.dst());
  for (std::int64_t i = 0; i < pool.dst_elements(); ++i) {
    const std::int64_t channel = i % pool.c, q = i / pool.c % pool.q(), p = i / pool.c / pool.q() % pool.p(),
                       n = i / pool.c / pool.q() / pool.p();
    std::vector<Uncertain> window;
    for (int r = 0; r < pool.window_h; ++r) {
      for (int s = 0; s < pool.window_w; ++s) {
        const std::int64_t row = p * pool.stride_h + r, column = q * pool.stride_w + s;
        window.push_back(at(((n * pool.h + row) * pool.w + column) * pool.c + channel));
      }
    }
    const auto best = std::ranges::max_element(window, {}, &Uncertain::value);
    const auto rivals = std::ranges::count_if(
        window, [&](const Uncertain& x) { return best->value - x.value <= best->error + x.error; });
    const int apart_h = (pool.window_h - 1) / pool.stride_h + 1, apart_w = (pool.window_w - 1) / pool.stride_w + 1;
    const bool is_alone = p % apart_h == 0 && q % apart_w == 0;
    if (!is_alone || rivals > 1 || hinges_on_a_clamp(parts->activation, *best))
      inputs.diff_dst[static_cast<std::size_t>(i)] = 0;
  }
  return inputs;
}

}  // namespace cudacards::testing
