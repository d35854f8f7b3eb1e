// A batch norm folded into the convolution in front of it, on the device.

#include <array>

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/folded_kernel.h"
#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/cudnn.h"

namespace cudacards {
namespace cuda {
namespace {

class DeviceFolding final : public FoldedKernel {
 public:
  DeviceFolding(const FoldedConv2d& op, const Problem& problem, std::unique_ptr<Kernel> inner)
      : FoldedKernel(op, problem, std::move(inner)), kernels_(*problem.target.kernels) {}

 private:
  void fold(const ForwardArgs& args, const FoldedParameters& folded) const override {
    fold_as(DType::kF32, folded.weights, args, folded.bias);
    if (folded.weights_bf16 != nullptr) fold_as(DType::kBf16, folded.weights_bf16, args, folded.bias);
  }

  void fold_as(DType type, void* weights, const ForwardArgs& args, float* bias) const {
    const auto norm = args.parameters.subspan(has_bias_ ? 2 : 1);
    const FoldBatchNormProblem problem = {
        .filters = static_cast<int>(filters_), .per_filter = weights_ / filters_, .epsilon = epsilon_};
    const FoldBatchNormArgs fold = {.weights = args.parameters[0],
                                    .bias = has_bias_ ? args.parameters[1] : nullptr,
                                    .gamma = norm[0],
                                    .beta = norm[1],
                                    .mean = norm[2],
                                    .variance = norm[3],
                                    .folded_weights = weights,
                                    .folded_bias = bias};
    require(kernels_.fold_batch_norm(problem, type, fold, args.device.stream), "folding of a batch norm");
  }

  const KernelTable& kernels_;
};

template <const Implementation& Inner>
Implementation wrapped() {
  return folded::wrapped<Inner, DeviceFolding>();
}

}  // namespace
}  // namespace cuda

std::span<const Implementation> cuda_folded_conv2d(DeviceKind device) {
  // Not constants: the convolution's own entries live in other files.
  static const std::array kCuda = {cuda::wrapped<kCudaPointwise>(),      cuda::wrapped<kCudaDepthwise>(),
                                   cuda::wrapped<kCudaDirectConv2d>(),   cuda::wrapped<kCudaConv2d>(),
                                   cuda::wrapped<kCudnnConv2d>(),        cuda::wrapped<kCublasLtPointwise>(),
                                   cuda::wrapped<kCudaReferenceConv2d>()};
  static const std::array kEmulated = {cuda::wrapped<kCudaPointwise>(), cuda::wrapped<kCudaDepthwise>(),
                                       cuda::wrapped<kCudaDirectConv2d>(), cuda::wrapped<kCudaConv2d>(),
                                       cuda::wrapped<kCudaReferenceConv2d>()};
  if (device == DeviceKind::kCuda) return kCuda;
  return kEmulated;
}

}  // namespace cudacards
