#include "host/graph/tune.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "host/graph/choice.h"
#include "host/graph/plan_state.h"
#include "host/ops/place.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"

namespace cudacards {
namespace {

/// Pictures are read through pointers of the batch, not from a tensor.
bool reads_pictures(const PlanNode& node) { return node.problem.src[0].type == DType::kU8; }

bool can_be_measured(const PlanNode& node) {
  std::vector<Shape> shapes;
  for (const TensorDesc& src : node.problem.src) shapes.push_back(src.shape);
  return !node.operation->is_view() && !reads_pictures(node) && node.operation->error_scales(shapes).has_value();
}

struct Work {
  const PlanNode* node;
  std::string key;
  std::vector<const Implementation*> candidates;
};

void warn_of_refusals(const PlanNode& node, const TuningEntry& entry) {
  for (const CandidateResult& candidate : entry.candidates) {
    if (!candidate.refusal.empty())
      log_warning(fmt::format("{}: {} is not used: it {}", node.name, candidate.implementation, candidate.refusal));
  }
}

}  // namespace

TuningTable tune(const Graph& graph, PlanOptions options, Device& device, const TuningTable& known, int& measured,
                 const TuneProgress& progress, const MeasureOptions& how) {
  options.target = device.target();
  const auto state = make_nodes(graph, options);
  TuningTable table{.place = place_of(device), .entries = {}};
  std::vector<Work> work;
  for (const PlanNode& node : state->nodes) {
    if (!can_be_measured(node)) continue;
    Work wanted{&node, problem_key(*node.operation, node.problem), supporting_implementations(node)};
    if (wanted.candidates.size() < 2) continue;
    if (const TuningEntry* entry = known.find(wanted.key)) {
      table.entries[wanted.key] = *entry;
    } else if (std::ranges::find(work, wanted.key, &Work::key) == work.end()) {
      work.push_back(std::move(wanted));
    }
  }
  measured = 0;
  for (auto left = static_cast<int>(work.size()); const Work& next : work) {
    if (progress) progress(next.node->name, left--);
    try {
      TuningEntry entry = measure_candidates(device, *next.node->operation, next.node->problem, next.candidates, how);
      warn_of_refusals(*next.node, entry);
      table.entries[next.key] = std::move(entry);
      ++measured;
    } catch (const Error& error) {
      log_note(fmt::format("{} is not measured: {}", next.node->name, error.what()));
    }
  }
  return table;
}

}  // namespace cudacards
