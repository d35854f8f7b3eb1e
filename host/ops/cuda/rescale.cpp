// Pictures from the data set in device memory: gathered, warped and lit where the batch says so, normalised.

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace cuda {
namespace {

PictureBatchProblem problem_of(const Rescale& rescale, const Problem& problem) {
  const Shape& shape = problem.dst.shape;
  return {.n = static_cast<int>(shape[0]),
          .h = static_cast<int>(shape[1]),
          .w = static_cast<int>(shape[2]),
          .normalisation = {rescale.scale, rescale.offset}};
}

class RescaleKernel final : public Kernel {
 public:
  RescaleKernel(const Rescale& rescale, const Problem& problem)
      : kernels_(*problem.target.kernels),
        pictures_(problem_of(rescale, problem)),
        type_(problem.dst.type),
        training_(problem.training) {}

  /// Blurred pictures, in training.
  MemoryNeed memory() const override {
    return {.scratchpad = training_ ? static_cast<std::size_t>(pictures_.blurred_bytes()) : 0,
            .backward_reads_src = false};
  }

  void forward(const ForwardArgs& args) override {
    CUDACARDS_CHECK(args.device_images != nullptr);
    const DeviceImages& images = *args.device_images;
    if (images.transforms == nullptr) {
      require(kernels_.rescale(pictures_, type_, {images.pictures, images.indices, args.dst}, args.device.stream),
              "rescaling");
      return;
    }
    CUDACARDS_CHECK(training_ || !images.blurs);
    const AugmentArgs augment = {.pictures = images.pictures,
                                 .indices = images.indices,
                                 .transforms = images.transforms,
                                 .blurred = images.blurs ? static_cast<std::uint8_t*>(args.scratchpad) : nullptr,
                                 .dst = args.dst};
    require(kernels_.augment(pictures_, type_, augment, args.device.stream), "augmentation");
  }

 private:
  const KernelTable& kernels_;
  const PictureBatchProblem pictures_;
  const DType type_;
  const bool training_;
};

Verdict supports_rescale(const Operation& operation, const Problem& problem) {
  const PictureBatchProblem pictures = problem_of(static_cast<const Rescale&>(operation), problem);
  if (Verdict rescale = problem.target.kernels->rescale_supports(pictures, problem.dst.type); !rescale) return rescale;
  return problem.target.kernels->augment_supports(pictures, problem.dst.type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaRescale = {"hand:augment", "hand", cuda::supports_rescale,
                                               cuda::make_kernel<cuda::RescaleKernel, Rescale>};
constinit const Implementation kCudaReferenceRescale = {"reference", "reference", cuda::supports_rescale,
                                                        cuda::make_kernel<cuda::RescaleKernel, Rescale>};

}  // namespace cudacards
