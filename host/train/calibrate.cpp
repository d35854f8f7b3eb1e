#include "host/train/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "host/data/files.h"
#include "host/graph/plan.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "host/train/file_batch.h"

namespace cudacards {
namespace {

constexpr std::size_t kBatch = 16;

/// Sums over all positions of a layer's result, one a channel.
struct Moments {
  std::vector<double> sum, squares;
  std::int64_t count = 0;

  void add(const float* values, std::int64_t rows, std::int64_t channels) {  // (rows, channels)
    sum.resize(static_cast<std::size_t>(channels));
    squares.resize(static_cast<std::size_t>(channels));
    parallel_ranges(channels, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t row = 0; row < rows; ++row) add_row(values + row * channels, begin, end);
    });
    count += rows;
  }
  double mean(std::size_t c) const { return sum[c] / static_cast<double>(count); }
  double variance(std::size_t c) const {
    return std::max(0.0, squares[c] / static_cast<double>(count) - mean(c) * mean(c));
  }

 private:
  void add_row(const float* row, std::int64_t begin, std::int64_t end) {
    double *const s = sum.data(), *const q = squares.data();
    for (std::int64_t c = begin; c < end; ++c) {
      const double value = row[c];
      s[c] += value;
      q[c] += value * value;
    }
  }
};

using MomentsOfLayers = std::map<int, Moments>;  // by the layer that a batch norm reads

MomentsOfLayers layers_before_norms(const Graph& graph) {
  MomentsOfLayers layers;
  for (const Layer& layer : graph.layers()) {
    if (dynamic_cast<const BatchNorm*>(layer.operation.get())) layers[layer.inputs.front()];
  }
  return layers;
}

void measure(const Graph& graph, Parameters& parameters, const std::vector<std::string>& pictures,
             MomentsOfLayers& moments, const WorkProgress& progress) {
  // Unfused: a fused convolution never shows what its batch norm reads.
  Plan plan = Plan::make(graph, parameters, {.batch = kBatch, .mode = Mode::kInfer, .fuse = false});
  FileBatch files(kBatch, static_cast<int>(graph.input_shape()[1]), static_cast<int>(graph.input_shape()[2]));
  for (std::size_t first = 0; first < pictures.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, pictures.size() - first);
    files.read(std::span(pictures).subspan(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      if (!files.errors()[i].empty())
        throw Error(fmt::format("cannot calibrate with {}: {}", printable(pictures[first + i]), files.errors()[i]));
    }
    plan.observe({.images = files.images(), .transforms = {}}, Step{}, [&](const PlanNode& node, const void* dst) {
      const auto wanted = moments.find(node.layers.front());
      if (wanted == moments.end()) return;
      const Shape& shape = node.problem.dst.shape;
      const std::int64_t channels = shape.sizes().back();
      const std::int64_t rows_a_picture = shape.elements() / channels / shape[0];
      wanted->second.add(static_cast<const float*>(dst), rows_a_picture * static_cast<std::int64_t>(count), channels);
    });
    if (progress) progress(static_cast<std::int64_t>(first + count), static_cast<std::int64_t>(pictures.size()));
  }
}

void set_statistics(const Layer& layer, const BatchNorm& norm, const Moments& moments, Parameters& parameters) {
  const auto of = [&](const char* leaf) { return parameters.values(*parameters.find(layer.name + "/" + leaf)); };
  const auto gamma = of("gamma"), beta = of("beta"), mean = of("mean"), variance = of("variance");
  for (std::size_t c = 0; c < mean.size(); ++c) {
    mean[c] = static_cast<float>(moments.mean(c));
    variance[c] = static_cast<float>(moments.variance(c));
    gamma[c] = std::sqrt(variance[c] + norm.epsilon);
    beta[c] += mean[c];
  }
}

}  // namespace

void calibrate_batch_norms(const Graph& graph, Parameters& parameters, const std::vector<std::string>& pictures,
                           const WorkProgress& progress) {
  CUDACARDS_CHECK(!pictures.empty());
  MomentsOfLayers moments = layers_before_norms(graph);
  measure(graph, parameters, pictures, moments, progress);
  for (const Layer& layer : graph.layers()) {
    if (const auto* norm = dynamic_cast<const BatchNorm*>(layer.operation.get()))
      set_statistics(layer, *norm, moments.at(layer.inputs.front()), parameters);
  }
  parameters.touch();
}

}  // namespace cudacards
