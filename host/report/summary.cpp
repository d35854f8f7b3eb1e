#include "host/report/summary.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"
#include "host/runtime/memory.h"

namespace cudacards {
namespace {

// Keras writes the open batch as None.
std::string shape_text(const Shape& shape) {
  return fmt::format("(None, {})", fmt::join(shape.sizes().begin() + 1, shape.sizes().end(), ", "));
}

std::int64_t parameters_of(const Layer& layer) {
  std::int64_t sum = 0;
  for (const auto& spec : layer.parameters) sum += spec.shape.elements();
  return sum;
}

std::int64_t parameters_of(const Graph& graph, const PlanNode& node) {
  std::int64_t sum = 0;
  for (const int i : node.layers) sum += parameters_of(graph.layers()[static_cast<std::size_t>(i)]);
  return sum;
}

std::string type_of(const Layer& layer) {
  return std::string(layer.operation ? layer.operation->kind() : "InputLayer");
}

// Of one picture's forward pass.
double flops_of(const Graph& graph, const Layer& layer) {
  if (!layer.operation) return 0;
  std::vector<Shape> src;
  for (const int input : layer.inputs) src.push_back(graph.layers()[static_cast<std::size_t>(input)].shape);
  return layer.operation->flops(src);
}

double flops_of(const Graph& graph) {
  double sum = 0;
  for (const auto& layer : graph.layers()) sum += flops_of(graph, layer);
  return sum;
}

// The least that one picture's forward pass moves if every layer reads and writes its tensors once, stored as `type`.
std::int64_t bytes_of(const Graph& graph, DType type) {
  std::int64_t sum = 0;
  for (const auto& layer : graph.layers()) {
    if (!layer.operation || layer.operation->is_view()) continue;
    for (const int input : layer.inputs) {
      const bool is_pixels = input == 0 && graph.input_kind() == InputKind::kImage;
      const auto size = static_cast<std::int64_t>(size_of(is_pixels ? DType::kU8 : type));
      sum += graph.layers()[static_cast<std::size_t>(input)].shape.elements() * size;
    }
    sum += layer.shape.elements() * static_cast<std::int64_t>(size_of(type));
    sum += parameters_of(layer) * static_cast<std::int64_t>(size_of(type));
  }
  return sum;
}

const char* mode_name(const PlanOptions& options) { return options.mode == Mode::kTrain ? "training" : "inference"; }

std::string node_title(const Graph& graph, const PlanNode& node) {
  std::string title;
  for (const int i : node.layers) {
    title += (title.empty() ? "" : " + ") + graph.layers()[static_cast<std::size_t>(i)].name;
  }
  return title;
}

/// For a narrow column: "block_01/expand + expand_bn + expand_relu".
std::string short_title(const Graph& graph, const PlanNode& node) {
  const std::string& first = graph.layers()[static_cast<std::size_t>(node.layers.front())].name;
  const std::string place = first.substr(0, first.rfind('/') + 1);
  std::string title = first;
  for (std::size_t i = 1; i < node.layers.size(); ++i) {
    const std::string& name = graph.layers()[static_cast<std::size_t>(node.layers[i])].name;
    title += " + " + (name.starts_with(place) ? name.substr(place.size()) : name);
  }
  return title;
}

std::string duration(double seconds) {
  return seconds < 1 ? fmt::format("{:.3g} ms", seconds * 1e3) : fmt::format("{:.3g} s", seconds);
}

std::string text_of(const CandidateResult& candidate) {
  return (candidate.is_estimate ? "about " : "") + duration(candidate.seconds());
}

const char* word_of(ChoiceReason reason) {
  switch (reason) {
    case ChoiceReason::kOrder:
      return "order";
    case ChoiceReason::kMeasured:
      return "measured";
    case ChoiceReason::kAsked:
      return "asked";
  }
  return "?";
}

/// "list order", "asked for", "measured: 0.41 ms; cudnn 0.52 ms": its own time, then the others'.
std::string why(const PlanNode& node) {
  std::string text = node.choice.reason == ChoiceReason::kOrder   ? "list order"
                     : node.choice.reason == ChoiceReason::kAsked ? "asked for"
                                                                  : "measured";
  std::string own, others;
  for (const CandidateResult& candidate : node.choice.measured) {
    if (!candidate.refusal.empty()) continue;
    if (candidate.implementation == node.implementation) {
      own = ": " + text_of(candidate);
    } else {
      others += fmt::format("; {} {}", candidate.implementation, text_of(candidate));
    }
  }
  return text + own + others;
}

nlohmann::ordered_json to_json(const Choice& choice) {
  nlohmann::ordered_json measured = nlohmann::ordered_json::array();
  for (const CandidateResult& candidate : choice.measured) {
    if (!candidate.refusal.empty()) continue;
    measured.push_back({{"implementation", candidate.implementation},
                        {"forward_seconds", candidate.forward_seconds},
                        {"backward_seconds", candidate.backward_seconds},
                        {"estimate", candidate.is_estimate},
                        {"error_over_bound", candidate.error}});
  }
  return {{"reason", word_of(choice.reason)}, {"measured", measured}};
}

}  // namespace

std::string summary_table(const Graph& graph, const Plan& plan) {
  Table table({{"Layer (type)"}, {"Output shape"}, {"Params", Align::kRight}});
  for (const auto& layer : graph.layers()) {
    const std::string frozen = !layer.trainable && !layer.parameters.empty() ? " frozen" : "";
    table.add({fmt::format("{} ({}){}", layer.name, type_of(layer), frozen), shape_text(layer.shape),
               with_commas(parameters_of(layer))});
  }
  std::string text = table.to_string();
  const std::int64_t total = graph.parameter_count(), trainable = graph.trainable_count();
  text += fmt::format("Total params:          {}  ({})\n", with_commas(total),
                      mebibytes(static_cast<std::size_t>(total) * sizeof(float)));
  text += fmt::format("Trainable params:      {}\n", with_commas(trainable));
  text += fmt::format("Non-trainable params:  {}\n", with_commas(total - trainable));
  text += fmt::format("One picture, forward:  {:.3f} GFLOP, {} moved at least\n", flops_of(graph) / 1e9,
                      mebibytes(static_cast<std::size_t>(bytes_of(graph, storage_of(plan.options().precision)))));
  text += fmt::format("Planned memory:        {} for {} at batch {} in {}\n", mebibytes(plan.planned_bytes()),
                      mode_name(plan.options()), plan.options().batch, name_of(plan.options().precision));
  text += fmt::format("                       (arena {}, gradients and packed weights {})\n",
                      mebibytes(plan.arena_bytes()), mebibytes(plan.planned_bytes() - plan.arena_bytes()));
  return text;
}

namespace {

/// In tf32 not every kernel has tensor cores to multiply with: which have.
std::string factors_note(const Plan& plan) {
  if (plan.options().precision != Precision::kTf32) return "";
  std::vector<std::string> rounded;
  for (const auto& node : plan.nodes()) {
    if (node.rounds_to_tf32) rounded.push_back(node.name);
  }
  return rounded.empty()
             ? "Nothing is multiplied in tf32: all is in fp32.\n"
             : fmt::format("Multiplied in tf32: {}. What else multiplies does so in fp32.\n", fmt::join(rounded, ", "));
}

}  // namespace

std::string plan_table(const Graph& graph, const Plan& plan) {
  Table table({{"Node"},
               {"Shape"},
               {"Params", Align::kRight},
               {"GFLOP", Align::kRight},
               {"MiB", Align::kRight},
               {"Implementation"},
               {"Why"}});
  std::string refusals;
  for (const auto& node : plan.nodes()) {
    const std::size_t bytes = node.problem.dst.bytes() + node.memory.workspace + node.memory.packed;
    const bool is_view = node.implementation.empty();
    table.add({short_title(graph, node), node.problem.dst.shape.to_string(), with_commas(parameters_of(graph, node)),
               fmt::format("{:.3f}", node.flops / 1e9),
               is_view ? "-" : fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20)),
               is_view ? "(view)" : node.implementation, is_view ? "-" : why(node)});
    for (const auto& refusal : node.refused) {
      refusals += fmt::format("  {}: not {}: {}\n", node.name, refusal.implementation, refusal.reason);
    }
  }
  std::string text = table.to_string() + factors_note(plan);
  if (!refusals.empty()) text += "Why others were not taken:\n" + refusals;
  return text;
}

std::string summary_json(const std::string& arch, const Graph& graph, const Plan& plan) {
  using nlohmann::ordered_json;
  ordered_json layers = ordered_json::array();
  for (const auto& layer : graph.layers()) {
    auto shape = layer.shape.sizes();
    shape.erase(shape.begin());
    layers.push_back({{"name", layer.name},
                      {"type", type_of(layer)},
                      {"output_shape", shape},
                      {"parameters", parameters_of(layer)},
                      {"trainable", layer.trainable},
                      {"flops", flops_of(graph, layer)}});
  }
  ordered_json nodes = ordered_json::array();
  for (const auto& node : plan.nodes()) {
    ordered_json refused = ordered_json::array();
    for (const auto& refusal : node.refused)
      refused.push_back({{"implementation", refusal.implementation}, {"reason", refusal.reason}});
    nodes.push_back({{"name", node_title(graph, node)},
                     {"implementation", node.implementation},
                     {"choice", to_json(node.choice)},
                     {"tf32", node.rounds_to_tf32},
                     {"flops", node.flops},
                     {"workspace_bytes", node.memory.workspace},
                     {"packed_bytes", node.memory.packed},
                     {"refused", refused}});
  }
  const Shape input = graph.input_shape();
  const std::int64_t total = graph.parameter_count(), trainable = graph.trainable_count();
  ordered_json summary = {
      {"arch", arch},
      {"input", std::vector<std::int64_t>(input.sizes().begin() + 1, input.sizes().end())},
      {"layers", layers},
      {"parameters", {{"total", total}, {"trainable", trainable}, {"non_trainable", total - trainable}}},
      {"flops", flops_of(graph)},
      {"planned_bytes", plan.planned_bytes()},
      {"batch", plan.options().batch},
      {"precision", name_of(plan.options().precision)},
      {"mode", mode_name(plan.options())},
      {"plan", nodes}};
  return summary.dump(2);
}

}  // namespace cudacards
