#include "tests/support/op_run.h"

#include <cmath>
#include <deque>

#include "kernels/base/philox.h"
#include "tests/support/tensor_memory.h"

namespace cudacards::testing {
namespace {

enum class Fill { kIntegers, kUniform };

float draw(Fill fill, std::uint32_t seed, std::uint32_t tensor, std::size_t i) {
  const std::uint32_t word = philox4x32_10(seed, 0x7e57, tensor, static_cast<std::uint32_t>(i), 0, 0).v[0];
  if (fill == Fill::kUniform) return 2 * uniform01(word) - 1;
  constexpr float kIntegers[] = {-2, -1, -1, 1, 1, 1, 2, 0};
  return kIntegers[word % 8];
}

/// What the case can store, and multiply.
std::vector<float> drawn(Fill fill, std::uint32_t seed, std::uint32_t tensor, const Shape& shape, const OpCase& c) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float x = draw(fill, seed, tensor, i);
    values[i] = c.type == DType::kBf16        ? static_cast<float>(Bf16(x))
                : c.factors == Factors::kTf32 ? rounded_to_tf32(x)
                                              : x;
  }
  return values;
}

OpInputs inputs_of(const OpCase& c, Fill fill, std::uint32_t seed) {
  OpInputs inputs;
  std::uint32_t tensor = 0;
  for (const Shape& shape : c.src) inputs.src.push_back(drawn(fill, seed, tensor++, shape, c));
  for (const auto& spec : c.operation->parameters(c.src)) {
    auto values = drawn(fill, seed, tensor++, spec.shape, c);
    if (spec.name == "gamma" || spec.name == "variance") {
      for (float& x : values) x = std::abs(x) + 0.5f;
    }
    inputs.parameters.push_back(std::move(values));
  }
  // As the sources, also where dst is fp32: what an implementation multiplies may be bf16.
  inputs.diff_dst = drawn(fill, seed, tensor, c.dst(), c);
  return inputs;
}

/// A gradient as the mode finds it: poisoned where it is to be overwritten.
TensorMemory gradient(Device& device, std::size_t elements, DType type, GradMode mode, float before, const char* name) {
  TensorMemory memory(device, elements * size_of(type), name);
  if (mode == GradMode::kAccumulate) memory.store(std::vector<float>(elements, before), type);
  return memory;
}

/// The clock of a step in the device's memory.
class DeviceClock {
 public:
  DeviceClock(Device& device, const Step& step) : memory_(device, sizeof(StepClock), "clock") {
    const StepClock clock{step.seed, step.number};
    device.upload(memory_.data(), &clock, sizeof clock);
    step_ = {device.stream(), static_cast<const StepClock*>(memory_.data())};
  }
  const DeviceStep& step() const { return step_; }

 private:
  TensorMemory memory_;
  DeviceStep step_;
};

}  // namespace

OpInputs integer_inputs(const OpCase& c, std::uint32_t seed) { return inputs_of(c, Fill::kIntegers, seed); }
OpInputs random_inputs(const OpCase& c, std::uint32_t seed) { return inputs_of(c, Fill::kUniform, seed); }

OpOutputs run(const OpCase& c, const Implementation& implementation, const OpInputs& inputs,
              const RunOptions& options) {
  Device& device = *c.device;
  const GradMode diff_src_mode = c.diff_src == GradMode::kIgnore ? GradMode::kIgnore : options.diff_src_mode;
  Problem problem = c.problem();
  problem.training = options.training;
  problem.diff_parameters_wanted = options.training && !options.frozen;
  problem.diff_src_wanted.assign(c.src.size(), options.training && diff_src_mode != GradMode::kIgnore);
  const auto specs = c.operation->parameters(c.src);
  const auto kernel = implementation.make(*c.operation, problem);
  const MemoryNeed need = kernel->memory();
  const DeviceClock clock(device, options.step);
  TensorMemory workspace(device, need.workspace, "workspace"), scratchpad(device, need.scratchpad, "scratchpad"),
      packed(device, need.packed, "packed");
  TensorMemory dst(device, problem.dst.bytes(), "dst");
  std::deque<TensorMemory> src, parameters, copies;
  std::vector<const void*> src_pointers;
  std::vector<float*> parameter_pointers;
  std::vector<const Bf16*> copy_pointers;
  for (const auto& values : inputs.src) src_pointers.push_back(src.emplace_back(device, values, c.type, "src").data());
  for (const auto& values : inputs.parameters) {
    parameter_pointers.push_back(parameters.emplace_back(device, values, DType::kF32, "parameter").floats());
    if (device.is_cpu() || c.type != DType::kBf16) continue;
    auto& copy = copies.emplace_back(device, values, DType::kBf16, "bf16 copy of a parameter");
    copy_pointers.push_back(static_cast<const Bf16*>(copy.data()));
  }

  kernel->forward({.step = options.step,
                   .device = clock.step(),
                   .src = src_pointers,
                   .dst = dst.data(),
                   .parameters = parameter_pointers,
                   .parameters_bf16 = copy_pointers,
                   .workspace = workspace.data(),
                   .scratchpad = scratchpad.data(),
                   .packed = packed.data()});
  OpOutputs out{.dst = dst.load(c.dst_type)};
  for (auto& parameter : parameters) out.parameters.push_back(parameter.load(DType::kF32));
  if (!options.training || !options.step.training) return out;  // there is a backward pass of a training step only

  scratchpad.poison();  // kept by nobody between two calls
  TensorMemory diff_dst(device, inputs.diff_dst, c.dst_type, "diff_dst");
  std::deque<TensorMemory> diff_src, diff_parameters;
  std::vector<void*> diff_src_pointers;
  std::vector<float*> diff_parameter_pointers;
  const std::vector<GradMode> diff_src_modes(c.src.size(), diff_src_mode);
  for (const Shape& shape : c.src) {
    auto& buffer = diff_src.emplace_back(gradient(device, static_cast<std::size_t>(shape.elements()), c.type,
                                                  diff_src_mode, options.gradient_before, "diff_src"));
    diff_src_pointers.push_back(diff_src_mode == GradMode::kIgnore ? nullptr : buffer.data());
  }
  for (const auto& spec : specs) {
    auto& buffer =
        diff_parameters.emplace_back(gradient(device, static_cast<std::size_t>(spec.shape.elements()), DType::kF32,
                                              options.diff_parameters_mode, options.gradient_before, "diff_parameter"));
    const bool wanted = spec.trainable && !options.frozen;
    diff_parameter_pointers.push_back(wanted ? buffer.floats() : nullptr);
  }
  std::vector<const void*> src_for_backward = src_pointers;
  if (!need.backward_reads_src) src_for_backward.assign(src_pointers.size(), nullptr);
  const std::vector<const float*> const_parameters(parameter_pointers.begin(), parameter_pointers.end());

  kernel->backward({.step = options.step,
                    .device = clock.step(),
                    .src = src_for_backward,
                    .dst = need.backward_reads_dst ? dst.data() : nullptr,
                    .diff_dst = diff_dst.data(),
                    .diff_src = diff_src_pointers,
                    .diff_src_mode = diff_src_modes,
                    .parameters = const_parameters,
                    .parameters_bf16 = copy_pointers,
                    .diff_parameters = diff_parameter_pointers,
                    .diff_parameters_mode = options.frozen ? GradMode::kIgnore : options.diff_parameters_mode,
                    .workspace = workspace.data(),
                    .scratchpad = scratchpad.data(),
                    .packed = packed.data()});

  for (std::size_t i = 0; i < src.size(); ++i) EXPECT_EQ(src[i].load(c.type), inputs.src[i]) << "src has changed";
  EXPECT_EQ(diff_dst.load(c.dst_type), inputs.diff_dst) << "diff_dst has changed";
  for (auto& buffer : diff_src) {
    out.diff_src.push_back(diff_src_mode == GradMode::kIgnore ? std::vector<float>{} : buffer.load(c.type));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    out.diff_parameters.push_back(diff_parameter_pointers[i] ? diff_parameters[i].load(DType::kF32)
                                                             : std::vector<float>{});
  }
  return out;
}

}  // namespace cudacards::testing
