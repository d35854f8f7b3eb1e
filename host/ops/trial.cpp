#include "host/ops/trial.h"

#include <algorithm>
#include <cmath>

#include "host/runtime/threads.h"
#include "kernels/base/factors.h"
#include "kernels/base/philox.h"

namespace cudacards {
namespace {

constexpr std::uint64_t kSeed = 1234;
constexpr Step kStep{.training = true, .seed = kSeed, .number = 3};

/// Whole numbers are zero but for this share of them, so that a sum of `terms` products stays below 256 (six standard
/// deviations), which bf16 holds exactly.
double share_of_ones(std::int64_t terms) { return std::min(2.0 / 3, 2700.0 / static_cast<double>(terms)); }

class Drawing {
 public:
  std::vector<float> whole(std::int64_t count, double share) {
    return drawn(count, [share](float x) { return x < share / 2 ? -1.0f : x < share ? 1.0f : 0.0f; });
  }
  /// Rounded as the problem's factors are, so that products are exact in every precision.
  std::vector<float> uniform(std::int64_t count, float from, float to, const Problem& problem) {
    const bool is_bf16 = problem.src[0].type == DType::kBf16, is_tf32 = problem.tf32;
    return drawn(count, [=](float x) {
      const float value = from + (to - from) * x;
      return is_bf16 ? static_cast<float>(Bf16(value)) : is_tf32 ? rounded_to_tf32(value) : value;
    });
  }

 private:
  template <class Value>
  std::vector<float> drawn(std::int64_t count, const Value& value) {
    std::vector<float> values(static_cast<std::size_t>(count));
    const std::uint32_t tensor = tensor_++;
    parallel_ranges((count + 3) / 4, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t quad = begin; quad < end; ++quad) {
        const Random4 words = random4(kSeed, RandomPurpose::kMeasure, 0, tensor, static_cast<std::uint32_t>(quad));
        for (std::int64_t i = 4 * quad; i < std::min(count, 4 * quad + 4); ++i)
          values[static_cast<std::size_t>(i)] = value(uniform01(words.v[i % 4]));
      }
    });
    return values;
  }

  std::uint32_t tensor_ = 0;
};

std::vector<Shape> shapes_of(const Problem& problem) {
  std::vector<Shape> shapes;
  for (const TensorDesc& src : problem.src) shapes.push_back(src.shape);
  return shapes;
}

std::vector<float> draw_parameter(Drawing& draw, const ParameterSpec& spec, const Problem& problem, TrialData data) {
  const std::int64_t count = spec.shape.elements();
  const bool is_whole = data != TrialData::kRandom;
  if (is_whole && spec.neutral) return std::vector<float>(static_cast<std::size_t>(count), *spec.neutral);
  // Where no results depend on the sign: variances are positive, and a normalised value, at most 4 deviations off, is
  // shifted so far that it is the same side of zero (and of six) in every precision.
  if (spec.name == "gamma" || spec.name == "variance") return draw.uniform(count, 0.5f, 0.75f, problem);
  if (spec.name == "beta") {
    std::vector<float> values = draw.whole(count, 1.0);
    for (float& x : values) x *= 3;
    return values;
  }
  if (!is_whole) return draw.uniform(count, -1, 1, problem);
  return draw.whole(count, share_of_ones(spec.name == "weights" ? spec.fan_in : 1));
}

}  // namespace

TrialInputs draw_inputs(const Operation& operation, const Problem& problem, TrialData data) {
  Drawing draw;
  TrialInputs inputs;
  for (const TensorDesc& src : problem.src) {
    const std::int64_t count = src.shape.elements();
    inputs.src.push_back(data == TrialData::kRandom ? draw.uniform(count, -1, 1, problem)
                                                    : draw.whole(count, share_of_ones(1)));
  }
  for (const ParameterSpec& spec : operation.parameters(shapes_of(problem)))
    inputs.parameters.push_back(draw_parameter(draw, spec, problem, data));
  // In the sources' type, also where dst is fp32: what an implementation multiplies may be bf16.
  const std::int64_t count = problem.dst.shape.elements();
  inputs.diff_dst =
      data == TrialData::kWhole ? draw.whole(count, share_of_ones(1)) : draw.uniform(count, -1, 1, problem);
  return inputs;
}

Trial::Trial(Device& device, const Operation& operation, const Problem& problem, const Implementation& implementation)
    : device_(device),
      problem_(problem),
      kernel_(implementation.make(operation, problem)),
      need_(kernel_->memory()),
      wants_gradients_(problem.training && (problem.diff_parameters_wanted ||
                                            std::ranges::any_of(problem.diff_src_wanted, std::identity()))),
      clock_(device, sizeof(StepClock), "a measurement's clock"),
      dst_(device, problem.dst.bytes(), "a measurement's dst"),
      diff_dst_(device, wants_gradients_ ? problem.dst.bytes() : 0, "a measurement's diff_dst"),
      workspace_(device, need_.workspace, "a measurement's workspace"),
      scratchpad_(device, need_.scratchpad, "a measurement's scratchpad"),
      packed_(device, need_.packed, "a measurement's packed weights") {
  const StepClock clock{kStep.seed, kStep.number};
  device.upload(clock_.data(), &clock, sizeof clock);
  const bool has_copies = !device.is_cpu() && problem.src[0].type == DType::kBf16;
  for (std::size_t i = 0; i < problem.src.size(); ++i) {
    const std::size_t bytes = problem.src[i].bytes();
    const bool wanted = wants_gradients_ && problem.diff_src_wanted[i];
    src_pointers_.push_back(src_.emplace_back(device, bytes, "a measurement's src").data());
    backward_src_.push_back(need_.backward_reads_src ? src_pointers_.back() : nullptr);
    diff_src_pointers_.push_back(diff_src_.emplace_back(device, wanted ? bytes : 0, "a measurement's diff_src").data());
    diff_src_modes_.push_back(wanted ? GradMode::kOverwrite : GradMode::kIgnore);
  }
  for (const ParameterSpec& spec : operation.parameters(shapes_of(problem))) {
    const auto elements = static_cast<std::size_t>(spec.shape.elements());
    const std::size_t gradient = problem.diff_parameters_wanted && spec.trainable ? elements * sizeof(float) : 0;
    auto& values = parameters_.emplace_back(device, elements * sizeof(float), "a measurement's parameters");
    parameter_pointers_.push_back(values.as<float>().data());
    parameters_read_.push_back(parameter_pointers_.back());
    auto& diff = diff_parameters_.emplace_back(device, gradient, "a measurement's gradients");
    diff_parameter_pointers_.push_back(diff.as<float>().data());
    if (!has_copies) continue;
    auto& copy = copies_.emplace_back(device, elements * sizeof(Bf16), "a measurement's parameters in bf16");
    copy_pointers_.push_back(copy.as<Bf16>().data());
  }
}

void Trial::load(const TrialInputs& inputs) {
  for (std::size_t i = 0; i < src_.size(); ++i) send(src_[i], inputs.src[i], problem_.src[i].type);
  for (std::size_t i = 0; i < parameters_.size(); ++i) send(parameters_[i], inputs.parameters[i], DType::kF32);
  for (std::size_t i = 0; i < copies_.size(); ++i) send(copies_[i], inputs.parameters[i], DType::kBf16);
  if (diff_dst_.size() > 0) send(diff_dst_, inputs.diff_dst, problem_.dst.type);
}

void Trial::forward() {
  Step step = kStep;
  step.training = problem_.training;
  kernel_->forward({.step = step,
                    .device = {device_.stream(), clock_.as<StepClock>().data()},
                    .src = src_pointers_,
                    .dst = dst_.data(),
                    .parameters = parameter_pointers_,
                    .parameters_bf16 = copy_pointers_,
                    .workspace = workspace_.data(),
                    .scratchpad = scratchpad_.data(),
                    .packed = packed_.data()});
}

void Trial::backward() {
  kernel_->backward({.step = kStep,
                     .device = {device_.stream(), clock_.as<StepClock>().data()},
                     .src = backward_src_,
                     .dst = need_.backward_reads_dst ? dst_.data() : nullptr,
                     .diff_dst = diff_dst_.data(),
                     .diff_src = diff_src_pointers_,
                     .diff_src_mode = diff_src_modes_,
                     .parameters = parameters_read_,
                     .parameters_bf16 = copy_pointers_,
                     .diff_parameters = diff_parameter_pointers_,
                     .diff_parameters_mode = problem_.diff_parameters_wanted ? GradMode::kOverwrite : GradMode::kIgnore,
                     .workspace = workspace_.data(),
                     .scratchpad = scratchpad_.data(),
                     .packed = packed_.data()});
}

TrialOutputs Trial::outputs() {
  TrialOutputs out{.dst = receive(dst_, problem_.dst.type), .diff_src = {}, .diff_parameters = {}};
  for (std::size_t i = 0; i < diff_src_.size(); ++i)
    out.diff_src.push_back(receive(diff_src_[i], problem_.src[i].type));
  for (const DeviceBuffer& gradient : diff_parameters_) out.diff_parameters.push_back(receive(gradient, DType::kF32));
  return out;
}

void Trial::send(DeviceBuffer& to, const std::vector<float>& values, DType type) {
  if (type == DType::kF32) {
    device_.upload(to.data(), values.data(), to.size());
    device_.synchronise();
    return;
  }
  std::vector<Bf16> rounded(values.size());
  std::ranges::transform(values, rounded.begin(), [](float x) { return Bf16(x); });
  device_.upload(to.data(), rounded.data(), to.size());
  device_.synchronise();
}

std::vector<float> Trial::receive(const DeviceBuffer& from, DType type) {
  std::vector<float> values(from.size() / size_of(type));
  if (values.empty()) return values;
  if (type == DType::kF32) {
    device_.download(values.data(), from.data(), from.size());
    return values;
  }
  std::vector<Bf16> stored(values.size());
  device_.download(stored.data(), from.data(), from.size());
  std::ranges::transform(stored, values.begin(), [](Bf16 x) { return static_cast<float>(x); });
  return values;
}

}  // namespace cudacards
