#include "bench/sweep/problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/graph/fusion.h"
#include "host/ops/ops.h"
#include "models/registry.h"

namespace cudacards::sweep {
namespace {

template <class Problem, class Same>
void add_once(std::vector<Problem>& problems, const Problem& problem, const Same& same) {
  if (std::none_of(problems.begin(), problems.end(), [&](const Problem& other) { return same(problem, other); }))
    problems.push_back(problem);
}
template <class Problem>
void add_once(std::vector<Problem>& problems, const Problem& problem) {
  add_once(problems, problem, [](const Problem& a, const Problem& b) { return a == b; });
}
bool same_dense(const DenseProblem& a, const DenseProblem& b) {
  return a.rows == b.rows && a.in == b.in && a.units == b.units && a.activation == b.activation;
}
bool same_conv_pool(const ConvPoolProblem& a, const ConvPoolProblem& b) {
  return a.conv == b.conv && a.activation == b.activation;
}

bool is_pointwise(const Conv2dProblem& p) {
  return p.r == 1 && p.s == 1 && p.stride_h == 1 && p.stride_w == 1 && p.pad == Padding2d{};
}

void add_conv2d(const Conv2d& conv, const Shape& src, Problems& to) {
  const Conv2dProblem p = conv.problem(src);
  const Activation activation = conv.options.activation;
  if (conv.pool) {
    if (conv.pool->window == Extent2d(2) && conv.pool->step() == Extent2d(2))
      add_once(to.conv_pool, {.conv = p, .activation = activation}, same_conv_pool);
  } else if (conv.is_depthwise(src)) {
    add_once(to.depthwise, p);
  } else if (p.groups == 1 && is_pointwise(p)) {
    add_once(to.dense, {.rows = p.n * p.h * p.w, .in = p.c, .units = p.k, .activation = activation}, same_dense);
  } else if (p.groups == 1) {
    add_once(to.conv2d, p);
  }
}

void add_operation(const Operation& operation, const Shape& src, Problems& to) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(&operation)) {
    add_conv2d(*conv, src, to);
  } else if (const auto* dense = dynamic_cast<const Dense*>(&operation)) {
    add_once(to.dense,
             {.rows = static_cast<int>(src[0]),
              .in = static_cast<int>(src[1]),
              .units = dense->units,
              .activation = dense->activation},
             same_dense);
  } else if (const auto* pool = dynamic_cast<const MaxPool2d*>(&operation)) {
    add_once(to.max_pool, pool->problem(src));
  } else if (dynamic_cast<const ActivationLayer*>(&operation) != nullptr ||
             dynamic_cast<const Add*>(&operation) != nullptr) {
    add_once(to.elements, src.elements());
  }
}

}  // namespace

Problems problems_of_models(std::span<const int> batches) {
  Problems problems;
  for (const int batch : batches) {
    for (const ModelEntry& model : models()) {
      const Graph graph = model.build({});
      for (const bool fuse : {true, false}) {
        for (const FusedStep& step : fuse_layers(graph, fuse)) {
          const Layer& first = graph.layers()[static_cast<std::size_t>(step.layers.front())];
          const Layer& source = graph.layers()[static_cast<std::size_t>(first.inputs.front())];
          add_operation(*step.operation, source.shape.with_batch(batch), problems);
        }
      }
    }
  }
  return problems;
}

std::string describe(const Conv2dProblem& p) {
  return fmt::format("{}x{}x{}->{} {}x{}/{} N={}", p.h, p.w, p.c, p.k, p.r, p.s, p.stride_h, p.n);
}
std::string describe(const DenseProblem& p) { return fmt::format("{}x{}->{}", p.rows, p.in, p.units); }
std::string describe(const Pool2dProblem& p) {
  return fmt::format("{}x{}x{} {}x{}/{} N={}", p.h, p.w, p.c, p.window_h, p.window_w, p.stride_h, p.n);
}

}  // namespace cudacards::sweep
