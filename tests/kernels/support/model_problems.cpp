#include "tests/kernels/support/model_problems.h"

#include <algorithm>
#include <cctype>

#include "models/registry.h"
#include "tests/support/model_layers.h"

namespace cudacards::testing {
namespace {

constexpr int kMostRows = 6, kMostColumns = 9;
constexpr int kFlattened = 16;  // pixels on a side, of the models whose dense layers are taken

std::string as_name(std::string text) {
  for (char& c : text) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return text;
}

std::int64_t cut(std::int64_t size, std::int64_t most) { return size <= most ? size : most - (size - most) % 2; }

/// (N,H,W,C) of a corner.
Shape corner(const Shape& src) {
  if (src.rank() != 4) return src;
  return {src[0], cut(src[1], kMostRows), cut(src[2], kMostColumns), src[3]};
}

/// Of all but the last dimension.
int rows_of(const Shape& src) { return static_cast<int>(src.elements() / src[src.rank() - 1]); }
int last_of(const Shape& src) { return static_cast<int>(src[src.rank() - 1]); }

struct Collector {
  ModelProblems all;
  std::string name;

  template <class Problem>
  void add(NamedProblems<Problem>& problems, const Problem& problem) {
    if (std::none_of(problems.begin(), problems.end(), [&](const auto& known) { return known.problem == problem; }))
      problems.push_back({name, problem});
  }

  void add(const Conv2d& op, const Shape& src) {
    const Conv2dProblem p = op.problem(src);
    if (op.is_depthwise(src) && p.k == p.c && !op.pool) {
      add(all.depthwise, p);
    } else if (op.pool && op.pool->window == Extent2d(2) && op.pool->step() == Extent2d(2)) {
      add(all.conv_pool, {.conv = p, .activation = op.options.activation});
    } else if (op.pool || p.groups != 1) {
      all.left_over.push_back(name);
    } else if (p.r == 1 && p.s == 1 && p.stride_h == 1 && p.stride_w == 1) {
      add(all.pointwise, {.rows = rows_of(src), .in = p.c, .units = p.k, .activation = op.options.activation});
    } else {
      add(all.conv2d, p);
    }
  }

  void add(const Operation& op, const Shape& src) {
    if (const auto* conv = dynamic_cast<const Conv2d*>(&op)) {
      add(*conv, src);
    } else if (const auto* pool = dynamic_cast<const MaxPool2d*>(&op)) {
      add(all.max_pool, pool->problem(src));
    } else if (dynamic_cast<const GlobalAveragePool2d*>(&op) != nullptr) {
      add(all.global_pool, {static_cast<int>(src[0]), static_cast<int>(src[1] * src[2]), last_of(src)});
    } else if (const auto* norm = dynamic_cast<const BatchNorm*>(&op)) {
      add(all.batch_norm, {rows_of(src), last_of(src), norm->epsilon, norm->momentum, norm->activation});
    } else if (dynamic_cast<const Softmax*>(&op) != nullptr) {
      add(all.softmax, {rows_of(src), last_of(src)});
    } else if (dynamic_cast<const Dropout*>(&op) == nullptr && dynamic_cast<const Add*>(&op) == nullptr &&
               dynamic_cast<const ActivationLayer*>(&op) == nullptr) {
      all.left_over.push_back(name);
    }
  }
};

ModelProblems collect() {
  Collector collector;
  for (const auto& entry : models()) {
    const auto each_layer = [&](int pixels, int batch, auto&& use) {
      const Graph graph = entry.build({.height = pixels, .width = pixels, .classes = 53});
      for (const ModelLayer& layer : layers_of(graph, batch)) {
        collector.name = as_name(std::string(entry.name) + "_" + layer.name);
        use(layer, dynamic_cast<const Dense*>(layer.operation.get()));
      }
    };
    each_layer(224, 1, [&](const ModelLayer& layer, const Dense* dense) {
      if (dense == nullptr) collector.add(*layer.operation, corner(layer.src[0]));
    });
    each_layer(kFlattened, 3, [&](const ModelLayer& layer, const Dense* dense) {
      if (dense == nullptr) return;
      const Shape& src = layer.src[0];
      collector.add(
          collector.all.dense,
          DenseProblem{
              .rows = rows_of(src), .in = last_of(src), .units = dense->units, .activation = dense->activation});
    });
  }
  return collector.all;
}

}  // namespace

const ModelProblems& model_problems() {
  static const ModelProblems all = collect();
  return all;
}

}  // namespace cudacards::testing
