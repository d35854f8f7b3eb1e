#include "bench/support/candidates.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/support/model_variants.h"

namespace cudacards::bench {
namespace {

Activation activation_of(const Operation& operation) {
  if (const auto* conv = dynamic_cast<const Conv2d*>(&operation)) return conv->options.activation;
  if (const auto* dense = dynamic_cast<const Dense*>(&operation)) return dense->activation;
  if (const auto* norm = dynamic_cast<const BatchNorm*>(&operation)) return norm->activation;
  return Activation::kNone;
}

/// What makes the work of two nodes the same: the operation, its sizes and types, and what is asked of it.
std::string work_of(const PlanNode& node) {
  const Problem& problem = node.problem;
  std::string text = fmt::format("{} {} {} {}", node.operation->kind(), node.layers.size(),
                                 name_of(activation_of(*node.operation)), node.flops);
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < problem.src.size(); ++i) {
    shapes.push_back(problem.src[i].shape);
    text += fmt::format(" {} {} {}", shapes.back().to_string(), name_of(problem.src[i].type),
                        static_cast<bool>(problem.diff_src_wanted[i]));
  }
  text += fmt::format(" -> {} {} {}", problem.dst.shape.to_string(), name_of(problem.dst.type),
                      problem.diff_parameters_wanted);
  for (const ParameterSpec& spec : node.operation->parameters(shapes))
    text += fmt::format(" {} {}", spec.name, spec.shape.to_string());
  return text;
}

/// Those that say yes.
std::vector<Implementation> supported(const Operation& operation, const Problem& problem) {
  std::vector<Implementation> yes;
  for (const Implementation& implementation : operation.implementations(problem.target.kind)) {
    if (implementation.supports(operation, problem)) yes.push_back(implementation);
  }
  return yes;
}

/// A fused convolution and max pool as two operations: a vendor's convolution with bias and activation, then a pool,
/// the vendor's where it has one.
void add_composites(const PlanNode& node, std::vector<Candidate>& candidates) {
  const auto* fused = dynamic_cast<const Conv2d*>(node.operation.get());
  if (fused == nullptr || !fused->pool) return;
  const auto conv = std::make_shared<const Conv2d>(fused->options);
  const auto pool = std::make_shared<const MaxPool2d>(*fused->pool);
  Problem first = node.problem, second = node.problem;
  const Shape src[] = {first.src.front().shape};
  first.dst = {conv->infer_shape(src), first.dst.type};
  second.src = {first.dst};
  second.diff_src_wanted = {node.runs_backward};
  second.diff_parameters_wanted = false;

  const std::vector<Implementation> pools = supported(*pool, second);
  const auto vendors = std::ranges::find(pools, std::string_view("vendor"), &Implementation::family);
  const Implementation& then = vendors != pools.end() ? *vendors : pools.front();
  for (const Implementation& implementation : supported(*conv, first)) {
    if (implementation.family != "vendor") continue;
    candidates.push_back({fmt::format("{} + {}", implementation.name, then.name),
                          "vendor",
                          {{conv, first, implementation}, {pool, second, then}}});
  }
}

/// A gradient of the sources costs what the forward pass costs, one of the parameters too.
double backward_flops(const PlanNode& node) {
  const auto& wanted = node.problem.diff_src_wanted;
  const bool data = std::ranges::any_of(wanted, [](bool w) { return w; });
  return node.flops * ((data ? 1 : 0) + (node.problem.diff_parameters_wanted ? 1 : 0));
}

}  // namespace

std::vector<NodeCandidates> candidates_of(const CandidateOptions& options, const Target& target) {
  const Graph graph = graph_of(options.model, {.height = options.image_size, .width = options.image_size});
  const Plan plan = Plan::look_at(
      graph, {.batch = options.batch, .target = target, .precision = options.precision, .mode = options.mode});
  std::vector<NodeCandidates> all;
  std::vector<std::string> works;
  for (const PlanNode& node : plan.nodes()) {
    if (node.operation->is_view()) continue;
    const std::string work = work_of(node);
    if (const auto known = std::ranges::find(works, work); known != works.end()) {
      ++all[static_cast<std::size_t>(known - works.begin())].occurrences;
      continue;
    }
    works.push_back(work);
    NodeCandidates& entry = all.emplace_back(NodeCandidates{.model = options.model,
                                                            .layer = node.name,
                                                            .batch = options.batch,
                                                            .precision = options.precision,
                                                            .mode = options.mode,
                                                            .runs_backward = node.runs_backward,
                                                            .forward_flops = node.flops,
                                                            .backward_flops = backward_flops(node)});
    for (const Implementation& implementation : supported(*node.operation, node.problem)) {
      entry.candidates.push_back({std::string(implementation.name),
                                  std::string(implementation.family),
                                  {{node.operation, node.problem, implementation}}});
    }
    add_composites(node, entry.candidates);
  }
  return all;
}

}  // namespace cudacards::bench
