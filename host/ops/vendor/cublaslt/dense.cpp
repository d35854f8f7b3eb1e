// Dense layers by cuBLASLt: bias and ReLU in the forward epilogue, the bias' gradient in the one of the weights'. Its
// epilogue for ReLU's gradient belongs to the layer behind, of which this one knows nothing.

#include <algorithm>
#include <optional>

#include "host/ops/ops.h"
#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/cublaslt/matmul.h"
#include "host/ops/vendor/device_affine.h"

namespace cudacards {
namespace cublaslt {
namespace {

class DenseKernel final : public vendor::DeviceAffineKernel {
 public:
  DenseKernel(const Dense& dense, const Problem& problem)
      : DeviceAffineKernel(checked(problem),
                           {.weights = problem.src[0].shape[1] * dense.units, .channels = dense.units},
                           dense.activation, dense.bias),
        activates_(dense.activation == Activation::kRelu) {
    const DenseSizes sizes = {problem.src[0].shape[0], problem.src[0].shape[1], dense.units};
    const Factors factors = problem.tf32 ? Factors::kTf32 : Factors::kExact;
    forward_.emplace(forward_product(sizes, src_.type, dst_.type, factors, has_bias_, activation_));
    std::size_t workspace = forward_->workspace();
    if (wants_diff_parameters()) {
      backward_weights_.emplace(backward_weights_product(sizes, src_.type, factors, has_bias_));
      workspace = std::max(workspace, backward_weights_->workspace());
    }
    if (wants_diff_src()) {
      backward_data_.emplace(backward_data_product(sizes, src_.type, factors));
      workspace = std::max(workspace, backward_data_->workspace());
    }
    plan_memory(workspace);
  }

 private:
  static const Problem& checked(const Problem& problem) {
    require_gpu(problem);
    return problem;
  }

  bool forward_products(const ForwardArgs& args, void* workspace) override {
    // The bias is of dst's type: a model's scores are fp32 behind bf16 products.
    const void* bias = nullptr;
    if (has_bias_) bias = dst_.type == DType::kF32 ? args.parameters[1] : parameter(args, 1);
    forward_->run(parameter(args, 0), args.src[0], args.dst, bias, workspace, args.device.stream);
    return activates_;
  }

  void backward_weights(const BackwardArgs& args, const void* diff, float* diff_weights, float* diff_bias,
                        void* workspace) override {
    backward_weights_->run(args.src[0], diff, diff_weights, diff_bias, workspace, args.device.stream);
  }

  void backward_data(const BackwardArgs& args, const void* diff, void* diff_src, void* workspace) override {
    backward_data_->run(parameter(args, 0), diff, diff_src, nullptr, workspace, args.device.stream);
  }

  const bool activates_;  // the epilogue does
  std::optional<Matmul> forward_, backward_weights_, backward_data_;
};

}  // namespace
}  // namespace cublaslt

constinit const Implementation kCublasLtDense = {"cublaslt", "vendor",
                                                 vendor::supports_by_making<cublaslt::DenseKernel, Dense>,
                                                 vendor::make_kernel<cublaslt::DenseKernel, Dense>};

}  // namespace cudacards
