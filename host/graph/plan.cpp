#include "host/graph/plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "host/graph/plan_state.h"
#include "host/runtime/error.h"
#include "host/runtime/finite.h"
#include "host/runtime/profiler_range.h"
#include "host/runtime/threads.h"

namespace cudacards {

Plan::Plan(std::unique_ptr<State> state) : state_(std::move(state)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

void Plan::State::prepare() {
  if (on_device) on_device->refresh_parameters(*parameters);
  if (prepared_version == parameters->version()) return;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const BoundNode& b = bound[i];
    if (kernels[i])
      kernels[i]->prepare({.device = device_step(),
                           .parameters = b.parameters,
                           .parameters_bf16 = b.parameters_bf16,
                           .packed = b.packed});
  }
  prepared_version = parameters->version();
}

Step Plan::State::begin(const Step& step) {
  prepare();
  if (on_device) {
    if (on_device->clock == on_device->own_clock.as<StepClock>().data()) {
      const StepClock clock{step.seed, step.number};
      device->upload(on_device->own_clock.data(), &clock, sizeof clock);
    }
  }
  Step now = step;
  now.parameters_changed = packed_version != version();
  return now;
}

std::uint64_t Plan::State::version() const {
  return on_device ? on_device->parameters.version() : parameters->version();
}

DeviceStep Plan::State::device_step() const { return {device->stream(), on_device ? on_device->clock : nullptr}; }

Plan::State::Images Plan::State::images_of(const ImageBatch& images) {
  if (!on_device) return {.host = &images};
  const std::size_t picture = values[0].desc.bytes() / static_cast<std::size_t>(options.batch);
  return {.device = &on_device->upload(*device, images, picture)};
}

void Plan::State::run_forward(const Images& images, const Step& step) {
  CUDACARDS_CHECK(!step.training || options.mode == Mode::kTrain);
  CUDACARDS_CHECK(nodes.empty() || threads() == nodes.front().problem.threads, "scratch memory is planned by threads");
  const Step now = begin(step);
  for (std::size_t i = 0; i < nodes.size(); ++i) run_forward(i, images, now);
  packed_version = version();
}

void Plan::State::run_forward(std::size_t node, const Images& images, const Step& step) {
  if (!kernels[node]) return;  // a view
  const BoundNode& b = bound[node];
  const ProfilerRange range(nodes[node].name);
  kernels[node]->forward({.step = step,
                          .device = device_step(),
                          .images = images.host,
                          .device_images = images.device,
                          .src = b.src,
                          .dst = b.dst,
                          .parameters = b.parameters,
                          .parameters_bf16 = b.parameters_bf16,
                          .workspace = b.workspace,
                          .scratchpad = b.forward_scratchpad,
                          .packed = b.packed});
}

void Plan::State::run_backward(std::size_t node, const Step& step) {
  if (!nodes[node].runs_backward) return;
  const BoundNode& b = bound[node];
  const ProfilerRange range(nodes[node].name, "backward");
  kernels[node]->backward({.step = step,
                           .device = device_step(),
                           .src = b.backward_src,
                           .dst = b.backward_dst,
                           .diff_dst = b.diff_dst,
                           .diff_src = b.diff_src,
                           .diff_src_mode = b.diff_src_mode,
                           .parameters = b.parameters_read,
                           .parameters_bf16 = b.parameters_bf16,
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
  state_->run_forward(state_->images_of(images), step);
}

void Plan::forward(const DeviceImages& images, const Step& step) {
  CUDACARDS_CHECK(state_->input_kind == InputKind::kImage && state_->on_device);
  state_->run_forward({.device = &images}, step);
}

void Plan::set_input(const float* src) {
  CUDACARDS_CHECK(state_->input_kind == InputKind::kTensor);
  copy_input(*state_->device, src, state_->values[0]);
}

void Plan::forward(const Step& step) {
  CUDACARDS_CHECK(state_->input_kind == InputKind::kTensor);
  state_->run_forward({}, step);
}

void Plan::forward(const float* src, const Step& step) {
  set_input(src);
  forward(step);
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

const float* Plan::read_logits() {
  if (!state_->on_device) return logits();
  std::vector<float>& host = state_->on_device->logits;
  host.resize(static_cast<std::size_t>(state_->result().desc.shape.elements()));
  state_->device->download(host.data(), logits(), host.size() * sizeof(float));
  return host.data();
}

void Plan::prepare() { state_->prepare(); }

Device& Plan::device() const { return *state_->device; }

DeviceParameters& Plan::device_parameters() {
  CUDACARDS_CHECK(state_->on_device);
  return state_->on_device->parameters;
}

void Plan::use_clock(const StepClock* clock) {
  CUDACARDS_CHECK(state_->on_device);
  state_->on_device->clock = clock;
}

std::span<float> Plan::gradients() { return state_->gradients.as<float>(); }

const PlanOptions& Plan::options() const { return state_->options; }
const std::vector<PlanNode>& Plan::nodes() const { return state_->nodes; }
std::size_t Plan::arena_bytes() const { return state_->memory.arena; }
std::size_t Plan::planned_bytes() const { return state_->memory.total(); }

bool Plan::State::is_finite(const void* data, const TensorDesc& desc) {
  const std::int64_t elements = desc.shape.elements();
  if (device->is_cpu()) return all_finite(data, desc.type, elements);
  std::vector<std::byte> host(desc.bytes());
  device->download(host.data(), data, host.size());
  return all_finite(host.data(), desc.type, elements);
}

void Plan::observe(const ImageBatch& images, const Step& step,
                   const std::function<void(const PlanNode&, const void*)>& show) {
  const State::Images here = state_->images_of(images);
  const Step now = state_->begin(step);
  for (std::size_t i = 0; i < state_->nodes.size(); ++i) {
    state_->run_forward(i, here, now);
    if (state_->kernels[i]) show(state_->nodes[i], state_->bound[i].dst);
  }
  state_->packed_version = state_->version();
}

std::string Plan::find_non_finite(const ImageBatch& images, const Step& step, const std::function<void()>& loss) {
  return state_->find_non_finite(state_->images_of(images), step, loss);
}

std::string Plan::find_non_finite(const Step& step, const std::function<void()>& loss) {
  CUDACARDS_CHECK(state_->input_kind == InputKind::kTensor);
  return state_->find_non_finite({}, step, loss);
}

std::string Plan::State::find_non_finite(const Images& images, const Step& step, const std::function<void()>& loss) {
  const auto are_finite = [&](const float* values, const Parameter& p) {
    return is_finite(values + p.begin, {{p.end - p.begin}, DType::kF32});
  };
  Step now = begin(step);
  now.parameters_changed = true;
  const float* values = on_device ? on_device->parameters.values() : parameters->values().data();
  for (const auto& parameter : parameters->list()) {
    if (!are_finite(values, parameter)) return parameter.name;
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    run_forward(i, images, now);
    if (!is_finite(bound[i].dst, nodes[i].problem.dst)) return nodes[i].name + ": dst";
  }
  loss();
  if (!is_finite(result().diff, result().desc)) return "logits: gradient";
  for (std::size_t i = nodes.size(); i-- > 0;) {
    const PlanNode& node = nodes[i];
    if (!node.runs_backward) continue;
    run_backward(i, now);
    for (const auto& parameter : parameters->list()) {
      if (!parameter.trainable ||
          std::find(node.layers.begin(), node.layers.end(), parameter.layer) == node.layers.end())
        continue;
      if (!are_finite(gradients.as<float>().data(), parameter))
        return fmt::format("{}: diff {}", node.name, parameter.name);
    }
    for (std::size_t s = 0; s < node.inputs.size(); ++s) {
      void* diff = bound[i].diff_src[s];
      if (diff != nullptr && !is_finite(diff, node.problem.src[s])) return node.name + ": diff src";
    }
  }
  return "";
}

}  // namespace cudacards
