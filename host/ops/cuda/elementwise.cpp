// Activation, sum and dropout.

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/cuda/widened.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cuda {
namespace {

Verdict supports_elements(const Operation&, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  return problem.target.kernels->elementwise_supports(problem.dst.shape.elements(), problem.dst.type);
}

class ActivationKernel final : public DeviceKernel {
 public:
  ActivationKernel(const ActivationLayer& layer, const Problem& problem)
      : DeviceKernel(problem), activation_{.elements = problem.dst.shape.elements(), .activation = layer.activation} {}

  MemoryNeed memory() const override { return {.backward_reads_src = false, .backward_reads_dst = true}; }

  void forward(const ForwardArgs& args) override {
    require(kernels_.activation_forward(activation_, type_, {args.src[0], args.dst}, args.device.stream,
                                        elementwise_tuning(arch_)),
            "activation, forward");
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    require(kernels_.activation_backward(activation_, type_,
                                         {args.dst, args.diff_dst, args.diff_src[0], args.diff_src_mode[0]},
                                         args.device.stream, elementwise_tuning(arch_)),
            "activation, backward");
  }

 private:
  const ActivationProblem activation_;
};

class AddKernel final : public DeviceKernel {
 public:
  AddKernel(const Add&, const Problem& problem)
      : DeviceKernel(problem), add_{.elements = problem.dst.shape.elements()} {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    require(
        kernels_.add(add_, type_, {args.src[0], args.src[1], args.dst}, args.device.stream, elementwise_tuning(arch_)),
        "add, forward");
  }

  void backward(const BackwardArgs& args) override {
    for (std::size_t i = 0; i < args.diff_src.size(); ++i) {
      if (args.diff_src_mode[i] == GradMode::kIgnore) continue;
      require(kernels_.add_backward(add_, type_, {args.diff_dst, args.diff_src[i], args.diff_src_mode[i]},
                                    args.device.stream, elementwise_tuning(arch_)),
              "add, backward");
    }
  }

 private:
  const AddProblem add_;
};

DropoutProblem problem_of(const Dropout& dropout, const Problem& problem) {
  return {
      .elements = problem.dst.shape.elements(), .rate = dropout.rate, .node = static_cast<std::uint32_t>(problem.node)};
}

class DropoutKernel final : public DeviceKernel {
 public:
  DropoutKernel(const Dropout& dropout, const Problem& problem)
      : DeviceKernel(problem), dropout_(problem_of(dropout, problem)), bytes_(problem.dst.bytes()) {}

  /// Where gradients fan in: the kernel sets, and what it has set is added.
  MemoryNeed memory() const override { return {.scratchpad = training_ ? bytes_ : 0, .backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override { scale(args.step, args.device, args.src[0], args.dst); }

  void backward(const BackwardArgs& args) override {
    const GradMode mode = args.diff_src_mode[0];
    if (mode == GradMode::kIgnore) return;
    if (mode == GradMode::kOverwrite) return scale(args.step, args.device, args.diff_dst, args.diff_src[0]);
    scale(args.step, args.device, args.diff_dst, args.scratchpad);
    require(kernels_.add_backward({.elements = dropout_.elements}, type_, {args.scratchpad, args.diff_src[0], mode},
                                  args.device.stream, elementwise_tuning(arch_)),
            "dropout, backward");
  }

 private:
  void scale(const Step& step, const DeviceStep& device, const void* src, void* dst) {
    if (step.training) {
      require(kernels_.dropout(dropout_, type_, {src, dst, device.clock}, device.stream), "dropout");
    } else {  // a copy
      const ActivationProblem copy = {.elements = dropout_.elements, .activation = Activation::kNone};
      require(kernels_.activation_forward(copy, type_, {src, dst}, device.stream, elementwise_tuning(arch_)),
              "dropout, inference");
    }
  }

  const DropoutProblem dropout_;
  const std::size_t bytes_;
};

Verdict supports_dropout(const Operation& operation, const Problem& problem) {
  if (Verdict elements = supports_elements(operation, problem); !elements) return elements;
  return problem.target.kernels->dropout_supports(problem_of(static_cast<const Dropout&>(operation), problem),
                                                  problem.dst.type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaActivation = {"hand:activation", "hand", cuda::supports_elements,
                                                  cuda::make_kernel<cuda::ActivationKernel, ActivationLayer>};
constinit const Implementation kCudaReferenceActivation = cuda::widened<kCudaActivation>();
constinit const Implementation kCudaAdd = {"hand:add", "hand", cuda::supports_elements,
                                           cuda::make_kernel<cuda::AddKernel, Add>};
constinit const Implementation kCudaReferenceAdd = cuda::widened<kCudaAdd>();
constinit const Implementation kCudaDropout = {"hand:dropout", "hand", cuda::supports_dropout,
                                               cuda::make_kernel<cuda::DropoutKernel, Dropout>};
constinit const Implementation kCudaReferenceDropout = cuda::widened<kCudaDropout>();

}  // namespace cudacards
