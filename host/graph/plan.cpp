#include "host/graph/plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "host/graph/plan_state.h"
#include "host/runtime/error.h"
#include "host/runtime/finite.h"
#include "host/runtime/threads.h"

namespace cudacards {

Plan::Plan(std::unique_ptr<State> state) : state_(std::move(state)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

void copy_input(const float* src, const PlanValue& input) {
  const std::int64_t count = input.desc.shape.elements();
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    if (input.desc.type == DType::kF32) {
      std::copy(src + begin, src + end, static_cast<float*>(input.data) + begin);
    } else {
      for (std::int64_t i = begin; i < end; ++i) static_cast<Bf16*>(input.data)[i] = Bf16(src[i]);
    }
  });
}

Step Plan::State::with_version(Step step) const {
  step.parameters_changed = packed_version != parameters->version();
  return step;
}

void Plan::State::run_forward(const ImageBatch* images, const Step& step) {
  CUDACARDS_CHECK(!step.training || options.mode == Mode::kTrain);
  CUDACARDS_CHECK(nodes.empty() || threads() == nodes.front().problem.threads, "scratch memory is planned by threads");
  const Step now = with_version(step);
  for (std::size_t i = 0; i < nodes.size(); ++i) run_forward(i, images, now);
  packed_version = parameters->version();
}

void Plan::State::run_forward(std::size_t node, const ImageBatch* images, const Step& step) {
  if (!kernels[node]) return;  // a view
  const BoundNode& b = bound[node];
  kernels[node]->forward({.step = step,
                          .images = images,
                          .src = b.src,
                          .dst = b.dst,
                          .parameters = b.parameters,
                          .workspace = b.workspace,
                          .scratchpad = b.forward_scratchpad,
                          .packed = b.packed});
}

void Plan::State::run_backward(std::size_t node, const Step& step) {
  if (!nodes[node].runs_backward) return;
  const BoundNode& b = bound[node];
  kernels[node]->backward({.step = step,
                           .src = b.backward_src,
                           .dst = b.backward_dst,
                           .diff_dst = b.diff_dst,
                           .diff_src = b.diff_src,
                           .diff_src_mode = b.diff_src_mode,
                           .parameters = b.parameters_read,
                           .diff_parameters = b.diff_parameters,
                           .diff_parameters_mode = GradMode::kOverwrite,
                           .workspace = b.workspace,
                           .scratchpad = b.backward_scratchpad,
                           .packed = b.packed});
}

void Plan::forward(const ImageBatch& images, const Step& step) {
  CUDACARDS_CHECK(state_->input_kind == InputKind::kImage);
  CUDACARDS_CHECK(images.images.size() == static_cast<std::size_t>(state_->options.batch));
  CUDACARDS_CHECK(images.transforms.empty() || images.transforms.size() == images.images.size());
  state_->run_forward(&images, step);
}

void Plan::forward(const float* src, const Step& step) {
  CUDACARDS_CHECK(state_->input_kind == InputKind::kTensor);
  copy_input(src, state_->values[0]);
  state_->run_forward(nullptr, step);
}

void Plan::backward(const Step& step) {
  CUDACARDS_CHECK(state_->options.mode == Mode::kTrain);
  for (std::size_t i = state_->nodes.size(); i-- > 0;) state_->run_backward(i, step);
}

const float* Plan::logits() const { return static_cast<const float*>(state_->result().data); }

float* Plan::diff_logits() {
  CUDACARDS_CHECK(state_->options.mode == Mode::kTrain);
  return static_cast<float*>(state_->result().diff);
}

std::span<float> Plan::gradients() { return state_->gradients.as<float>(); }

const PlanOptions& Plan::options() const { return state_->options; }
const std::vector<PlanNode>& Plan::nodes() const { return state_->nodes; }
std::size_t Plan::arena_bytes() const { return state_->arena.size(); }
std::size_t Plan::planned_bytes() const {
  return state_->arena.size() + state_->packed.size() + state_->gradients.size();
}

void Plan::observe(const ImageBatch& images, const Step& step,
                   const std::function<void(const PlanNode&, const void*)>& show) {
  const Step now = state_->with_version(step);
  for (std::size_t i = 0; i < state_->nodes.size(); ++i) {
    state_->run_forward(i, &images, now);
    if (state_->kernels[i]) show(state_->nodes[i], state_->bound[i].dst);
  }
  state_->packed_version = state_->parameters->version();
}

std::string Plan::find_non_finite(const ImageBatch& images, const Step& step, const std::function<void()>& loss) {
  const auto is_finite = [](const void* data, const TensorDesc& desc) {
    return all_finite(data, desc.type, desc.shape.elements());
  };
  for (const auto& parameter : state_->parameters->list()) {
    const auto values = state_->parameters->values(parameter);
    if (!all_finite(values.data(), DType::kF32, static_cast<std::int64_t>(values.size()))) return parameter.name;
  }
  Step now = step;
  now.parameters_changed = true;
  for (std::size_t i = 0; i < state_->nodes.size(); ++i) {
    state_->run_forward(i, &images, now);
    if (!is_finite(state_->bound[i].dst, state_->nodes[i].problem.dst)) return state_->nodes[i].name + ": dst";
  }
  loss();
  if (!all_finite(diff_logits(), DType::kF32, state_->result().desc.shape.elements())) return "logits: gradient";
  for (std::size_t i = state_->nodes.size(); i-- > 0;) {
    const PlanNode& node = state_->nodes[i];
    if (!node.runs_backward) continue;
    state_->run_backward(i, now);
    for (const auto& parameter : state_->parameters->list()) {
      if (!parameter.trainable ||
          std::find(node.layers.begin(), node.layers.end(), parameter.layer) == node.layers.end())
        continue;
      if (!all_finite(gradients().data() + parameter.begin, DType::kF32, parameter.end - parameter.begin)) {
        return fmt::format("{}: diff {}", node.name, parameter.name);
      }
    }
    for (std::size_t s = 0; s < node.inputs.size(); ++s) {
      void* diff = state_->bound[i].diff_src[s];
      if (diff != nullptr && !is_finite(diff, node.problem.src[s])) return node.name + ": diff src";
    }
  }
  return "";
}

}  // namespace cudacards
