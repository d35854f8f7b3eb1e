#include "host/train/features.h"

#include <algorithm>

#include <fmt/format.h>

#include "host/graph/frozen_part.h"
#include "host/ops/place.h"
#include "host/runtime/sha256.h"
#include "host/train/checkpoint.h"

namespace cudacards {
namespace {

using Bytes = std::vector<std::uint8_t>;

void append(const void* data, std::size_t size, Bytes& bytes) {
  const auto* first = static_cast<const std::uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

void append(const std::string& text, Bytes& bytes) { append(text.data(), text.size(), bytes); }

void append(const Pictures& pictures, Bytes& bytes) {
  append(fmt::format("{} pictures\n", pictures.size()), bytes);
  for (std::int64_t i = 0; i < pictures.size(); ++i) append(pictures.digest(i).data(), sizeof(Sha256), bytes);
}

Graph below(Graph graph, Node layer) {
  graph.logits(layer);
  return graph;
}

PlanOptions inference_options(const RunConfig& config, const Target& target) {
  PlanOptions options = plan_options(config, target);
  options.mode = Mode::kInfer;
  return options;
}

Features compute(Plan& plan, const Pictures& pictures, const WorkProgress& count) {
  const std::int64_t batch = plan.options().batch;
  Features features{.width = plan.nodes().back().problem.dst.shape[1], .values = {}};
  features.values.resize(static_cast<std::size_t>(pictures.size() * features.width));
  Loader loader(pictures, {.batch = static_cast<int>(batch)});
  for (std::int64_t i = 0; i < loader.batches(); ++i) {
    const Batch& data = loader.batch(0, i);
    plan.forward(data.images, Step{.training = false});
    std::copy_n(plan.read_logits(), data.rows * features.width, features.values.data() + i * batch * features.width);
    count(i * batch + data.rows, pictures.size());
  }
  return features;
}

}  // namespace

std::optional<Node> feature_layer(const RunConfig& config, const Graph& graph) {
  return config.augment.enabled() ? std::nullopt : end_of_frozen_part(graph);
}

std::string key_of_features(const RunConfig& config, const Graph& graph, Node layer, const Parameters& parameters,
                            const TrainingData& data, const Device& device) {
  const Preprocessing preprocessing = preprocessing_of(graph);
  Bytes bytes;
  append(fmt::format("{}\n{} {} {} {} {} {} {}\n", place_of(device), config.batch, name_of(config.precision),
                     config.impl.to_string(), config.image_size, preprocessing.resize, preprocessing.scale,
                     preprocessing.offset),
         bytes);
  append(data.train, bytes);
  append(data.valid, bytes);
  for (int i = 1; i <= layer.id; ++i) {
    const Layer& below = graph.layers()[static_cast<std::size_t>(i)];
    append(fmt::format("{} {} {}\n", below.name, below.operation->kind(), below.operation->options_text()), bytes);
  }
  for (const Parameter& p : parameters.list()) {
    if (p.layer <= layer.id) append(parameters.values(p).data(), parameters.values(p).size_bytes(), bytes);
  }
  return hex(sha256(bytes));
}

std::size_t feature_memory(const RunConfig& config, const Graph& graph, Node layer, std::int64_t pictures,
                           const Target& target) {
  const auto rows = static_cast<std::size_t>(pictures * graph.layer(layer).shape[1]) * sizeof(float);
  const std::size_t plan = Plan::measure(below(graph, layer), inference_options(config, target)).total();
  return plan + (target.kind == DeviceKind::kCpu ? rows : 0);
}

SplitFeatures compute_features(const RunConfig& config, const Graph& graph, Node layer, Parameters& parameters,
                               const TrainingData& data, Device& device, const WorkProgress& count) {
  Plan plan = Plan::make(below(graph, layer), parameters, inference_options(config, device.target()), device);
  const std::int64_t all = data.train.size() + data.valid.size();
  const auto counted_from = [&](std::int64_t before) {
    return [&count, before, all](std::int64_t done, std::int64_t) { count(before + done, all); };
  };
  return {compute(plan, data.train, counted_from(0)), compute(plan, data.valid, counted_from(data.train.size()))};
}

void FeatureFeed::send(const Batch& batch, Plan& plan) {
  const auto width = static_cast<std::size_t>(features_.width);
  rows_.resize(batch.indices.size() * width);
  for (std::size_t i = 0; i < batch.indices.size(); ++i)
    std::copy_n(features_.row(batch.indices[i]), width, rows_.data() + i * width);
  plan.set_input(rows_.data());
}

}  // namespace cudacards
