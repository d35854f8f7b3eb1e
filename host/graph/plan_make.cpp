// Plan::make: fuse, choose, place, bind.

#include <algorithm>
#include <functional>

#include "host/graph/arena_plan.h"
#include "host/graph/choice.h"
#include "host/graph/fusion.h"
#include "host/graph/plan_state.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

using State = Plan::State;

std::vector<PlanValue> make_values(const Graph& graph, const std::vector<FusedStep>& steps,
                                   const PlanOptions& options) {
  std::vector<PlanValue> values(1);
  values[0].desc = {graph.input_shape().with_batch(options.batch),
                    graph.input_kind() == InputKind::kImage ? DType::kU8 : storage_of(options.precision)};
  for (const auto& step : steps) {
    PlanValue value;
    value.storage = static_cast<int>(values.size());
    const Layer& last = graph.layers()[static_cast<std::size_t>(step.layers.back())];
    value.desc = {last.shape.with_batch(options.batch), storage_of(options.precision)};
    if (step.operation->is_view()) value.storage = values[static_cast<std::size_t>(step.inputs.front() + 1)].storage;
    values.push_back(std::move(value));
  }
  // Scores and their gradient are fp32 whatever the precision: the loss is taken from them.
  const int logits = values.back().storage;
  for (auto& value : values) {
    if (value.storage == logits) value.desc.type = DType::kF32;
  }
  return values;
}

bool has_trainable_parameters(const Graph& graph, const FusedStep& step) {
  return std::any_of(step.layers.begin(), step.layers.end(), [&](int i) {
    const Layer& layer = graph.layers()[static_cast<std::size_t>(i)];
    return layer.trainable &&
           std::any_of(layer.parameters.begin(), layer.parameters.end(), [](const auto& p) { return p.trainable; });
  });
}

PlanNode make_node(const Graph& graph, const FusedStep& step, std::size_t index, std::vector<PlanValue>& values,
                   const PlanOptions& options) {
  PlanNode node;
  node.name = graph.layers()[static_cast<std::size_t>(step.layers.front())].name;
  node.layers = step.layers;
  node.operation = step.operation;
  node.inputs = step.inputs;

  const bool training = options.mode == Mode::kTrain;
  Problem& problem = node.problem;
  std::vector<Shape> src_shapes;
  for (const int input : step.inputs) {
    const PlanValue& value = values[static_cast<std::size_t>(input + 1)];
    problem.src.push_back(value.desc);
    problem.diff_src_wanted.push_back(training && value.needs_gradient);
    src_shapes.push_back(value.desc.shape);
  }
  PlanValue& result = values[index + 1];
  problem.dst = result.desc;
  problem.training = training;
  problem.diff_parameters_wanted = training && has_trainable_parameters(graph, step);
  problem.node = step.layers.front();
  problem.threads = threads();
  problem.tf32 = options.precision == Precision::kTf32;
  problem.target = options.target;

  result.needs_gradient =
      problem.diff_parameters_wanted ||
      std::any_of(problem.diff_src_wanted.begin(), problem.diff_src_wanted.end(), [](bool wanted) { return wanted; });
  node.runs_backward = result.needs_gradient && !step.operation->is_view();
  node.flops = step.operation->flops(src_shapes);
  return node;
}

// Time: node i runs forward at i, the loss at n, node i backward at 2n - i. Everything ends at 2n + 1.
class MemoryPlanner {
 public:
  explicit MemoryPlanner(State& state) : state_(state), n_(static_cast<int>(state.nodes.size())) {}

  /// Decides where everything goes; takes nothing yet.
  PlanMemory measure() {
    add_values();
    add_workspaces();
    for (const auto& [block, target] : wanted_) blocks_.push_back(block);
    PlanMemory memory{.arena = place_blocks(blocks_)};
    for (const auto& node : state_.nodes) memory.packed += align_up(node.memory.packed);
    constexpr std::size_t kNamed = 5;
    memory.largest = named_;
    std::ranges::stable_sort(memory.largest, std::greater{}, &NamedBytes::bytes);
    memory.largest.resize(std::min(kNamed, memory.largest.size()));
    return memory;
  }

  void take(const PlanMemory& memory) {
    Device& device = *state_.device;
    state_.arena = DeviceBuffer(device, memory.arena, "the plan's arena");
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (blocks_[i].bytes > 0) *wanted_[i].second = state_.arena.data() + blocks_[i].offset;
    }
    state_.packed = DeviceBuffer(device, memory.packed, "the plan's packed weights");
    std::size_t offset = 0;
    for (std::size_t i = 0; i < state_.nodes.size(); ++i) {
      const std::size_t need = state_.nodes[i].memory.packed;
      if (need > 0) state_.bound[i].packed = state_.packed.data() + offset;
      offset += align_up(need);
    }
  }

 private:
  int backward_time(int node) const { return 2 * n_ - node; }

  void want(std::size_t bytes, int first, int last, void** target, const std::string& name) {
    wanted_.push_back({{bytes, first, last}, target});
    if (bytes > 0) named_.push_back({name, bytes});
  }

  std::string name_of_value(std::size_t value) const {
    return value == 0 ? "the input" : state_.nodes[value - 1].name + ": dst";
  }

  void add_values() {
    const auto count = state_.values.size();
    std::vector<int> first(count, 2 * n_ + 1), last(count, -1), diff_first(count, 2 * n_ + 1);
    const auto touch = [&](int value, int time) {
      const auto s = static_cast<std::size_t>(state_.values[static_cast<std::size_t>(value)].storage);
      first[s] = std::min(first[s], time);
      last[s] = std::max(last[s], time);
    };
    for (int i = 0; i < n_; ++i) {
      const PlanNode& node = state_.nodes[static_cast<std::size_t>(i)];
      touch(i + 1, i);
      if (node.runs_backward && node.memory.backward_reads_dst) touch(i + 1, backward_time(i));
      for (std::size_t s = 0; s < node.inputs.size(); ++s) {
        touch(node.inputs[s] + 1, i);
        if (node.inputs[s] < 0) touch(0, 0);
        if (node.runs_backward && node.memory.backward_reads_src) touch(node.inputs[s] + 1, backward_time(i));
        const auto storage = static_cast<std::size_t>(state_.input(node, s).storage);
        if (node.runs_backward && node.problem.diff_src_wanted[s])
          diff_first[storage] = std::min(diff_first[storage], backward_time(i));
      }
    }
    const auto logits = static_cast<std::size_t>(state_.values.back().storage);
    last[logits] = 2 * n_ + 1;  // readable until the next forward
    diff_first[logits] = n_;
    for (std::size_t v = 0; v < count; ++v) {
      PlanValue& value = state_.values[v];
      if (value.storage != static_cast<int>(v) || (v == 0 && state_.input_kind == InputKind::kImage)) continue;
      want(value.desc.bytes(), first[v], last[v], &value.data, name_of_value(v));
      const bool has_diff = value.needs_gradient || v == logits;
      if (state_.options.mode == Mode::kTrain && has_diff) {
        want(value.desc.bytes(), diff_first[v], v == logits ? 2 * n_ + 1 : backward_time(static_cast<int>(v) - 1),
             &value.diff, name_of_value(v) + "'s gradient");
      }
    }
  }

  void add_workspaces() {
    for (int i = 0; i < n_; ++i) {
      const PlanNode& node = state_.nodes[static_cast<std::size_t>(i)];
      BoundNode& bound = state_.bound[static_cast<std::size_t>(i)];
      want(node.memory.workspace, i, node.runs_backward ? backward_time(i) : i, &bound.workspace,
           node.name + ": workspace");
      want(node.memory.scratchpad, i, i, &bound.forward_scratchpad, node.name + ": scratchpad");
      if (node.runs_backward)
        want(node.memory.scratchpad, backward_time(i), backward_time(i), &bound.backward_scratchpad,
             node.name + ": scratchpad of backward");
    }
  }

  State& state_;
  const int n_;
  std::vector<std::pair<MemoryBlock, void**>> wanted_;
  std::vector<MemoryBlock> blocks_;  // wanted_'s, with their offsets
  std::vector<NamedBytes> named_;
};

void bind_parameters(State& state, std::size_t i) {
  const PlanNode& node = state.nodes[i];
  BoundNode& bound = state.bound[i];
  for (const int layer : node.layers) {
    for (const auto& parameter : state.parameters->list()) {
      if (parameter.layer != layer) continue;
      float* values = state.on_device ? state.on_device->parameters.values() + parameter.begin
                                      : state.parameters->values(parameter).data();
      bound.parameters.push_back(values);
      if (state.on_device && state.options.precision == Precision::kBf16)
        bound.parameters_bf16.push_back(state.on_device->parameters.copy() + parameter.begin);
      bound.parameters_read.push_back(values);
      const bool wanted = state.options.mode == Mode::kTrain && parameter.trainable;
      bound.diff_parameters.push_back(wanted ? state.gradients.as<float>().data() + parameter.begin : nullptr);
    }
  }
}

void bind_tensors(State& state) {
  for (auto& value : state.values) {
    value.data = state.values[static_cast<std::size_t>(value.storage)].data;
    value.diff = state.values[static_cast<std::size_t>(value.storage)].diff;
  }
  // Backward runs from the last node to the first: who writes a gradient first sets it, the others add.
  std::vector<bool> written(state.values.size(), false);
  for (std::size_t i = state.nodes.size(); i-- > 0;) {
    const PlanNode& node = state.nodes[i];
    BoundNode& bound = state.bound[i];
    const PlanValue& result = state.values[i + 1];
    bound.dst = result.data;
    bound.diff_dst = result.diff;
    bound.backward_dst = node.memory.backward_reads_dst ? result.data : nullptr;
    for (std::size_t s = 0; s < node.inputs.size(); ++s) {
      const PlanValue& src = state.input(node, s);
      bound.src.push_back(src.data);
      bound.backward_src.push_back(node.memory.backward_reads_src ? src.data : nullptr);
      GradMode mode = GradMode::kIgnore;
      if (node.runs_backward && node.problem.diff_src_wanted[s]) {
        mode = written[static_cast<std::size_t>(src.storage)] ? GradMode::kAccumulate : GradMode::kOverwrite;
        written[static_cast<std::size_t>(src.storage)] = true;
      }
      bound.diff_src_mode.push_back(mode);
      bound.diff_src.push_back(mode == GradMode::kIgnore ? nullptr : src.diff);
    }
    bind_parameters(state, i);
  }
}

/// Fused and chosen, without memory.
std::unique_ptr<State> make_state(const Graph& graph, const PlanOptions& options) {
  auto state = make_nodes(graph, options);
  for (PlanNode& node : state->nodes)
    state->kernels.push_back(node.operation->is_view() ? nullptr : choose(node, options));
  state->bound.resize(state->nodes.size());
  return state;
}

/// What lies outside of the arena: gradients of the parameters, and on a device their copy.
void add_parameters(PlanMemory& memory, const Graph& graph, const PlanOptions& options) {
  const auto count = static_cast<std::size_t>(Parameters::size_of(graph));
  if (options.mode == Mode::kTrain) memory.gradients = count * sizeof(float);
  if (options.target.kind != DeviceKind::kCpu && options.precision == Precision::kBf16)
    memory.copy = count * sizeof(Bf16);
}

PlanMemory measure_state(State& state, const Graph& graph) {
  PlanMemory memory = MemoryPlanner(state).measure();
  add_parameters(memory, graph, state.options);
  return memory;
}

}  // namespace

void require_precision(Precision precision, DeviceKind device) {
  if (precision != Precision::kTf32 || device != DeviceKind::kCpu) return;
  throw UsageError(
      "tf32 is multiplied by the tensor cores of GPUs, and this would run on the CPU: use --precision fp32 "
      "or bf16, or --device cuda");
}

std::unique_ptr<Plan::State> make_nodes(const Graph& graph, const PlanOptions& options) {
  CUDACARDS_CHECK(options.batch > 0);
  require_precision(options.precision, options.target.kind);
  auto state = std::make_unique<State>();
  state->options = options;
  state->input_kind = graph.input_kind();
  const auto steps = fuse_layers(graph, options.fuse, options.mode == Mode::kInfer ? Folding::kAll : Folding::kFrozen);
  state->values = make_values(graph, steps, options);
  for (std::size_t i = 0; i < steps.size(); ++i)
    state->nodes.push_back(make_node(graph, steps[i], i, state->values, options));
  return state;
}

PlanMemory Plan::measure(const Graph& graph, const PlanOptions& options) {
  return measure_state(*make_state(graph, options), graph);
}

Plan Plan::look_at(const Graph& graph, const PlanOptions& options) {
  auto state = make_state(graph, options);
  state->memory = measure_state(*state, graph);
  return Plan(std::move(state));
}

Plan Plan::make(const Graph& graph, Parameters& parameters, PlanOptions options, Device& device) {
  options.target = device.target();
  auto state = make_state(graph, options);
  state->parameters = &parameters;
  state->device = &device;
  if (!device.is_cpu()) state->on_device = std::make_unique<DevicePart>(device, parameters, options);
  MemoryPlanner planner(*state);
  state->memory = planner.measure();
  add_parameters(state->memory, graph, options);
  planner.take(state->memory);
  state->gradients = DeviceBuffer(device, state->memory.gradients, "the gradients");
  // What lies between two parameters is updated with them, and must be a number.
  if (!device.is_cpu() && state->gradients.size() > 0) device.fill(state->gradients.data(), 0, state->gradients.size());
  bind_tensors(*state);
  return Plan(std::move(state));
}

}  // namespace cudacards
