#include "host/ops/vendor/cudnn/softmax.h"

#include <fmt/format.h>

#include <limits>

#include "host/ops/ops.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/cudnn/context.h"
#include "host/ops/vendor/cudnn/graphs.h"
#include "host/ops/vendor/making.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace cudnn {

RowsDescriptor::RowsDescriptor(const Functions& cudnn, DType type, std::int64_t rows, std::int64_t classes)
    : cudnn_(cudnn) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  if (type == DType::kU8) throw Refused("needs fp32 or bf16");
  if (rows > kMost || classes > kMost) throw Refused("more than 2^31 - 1 rows or classes");
  check(cudnn, cudnn.CreateTensorDescriptor(&descriptor_), "cuDNN: describing rows");
  try {
    check(cudnn,
          cudnn.SetTensor4dDescriptor(descriptor_, CUDNN_TENSOR_NCHW, type_of(type), static_cast<int>(rows),
                                      static_cast<int>(classes), 1, 1),
          "cuDNN: describing rows");
  } catch (const Refused&) {
    (void)cudnn.DestroyTensorDescriptor(descriptor_);
    throw;
  }
}

RowsDescriptor::~RowsDescriptor() { (void)cudnn_.DestroyTensorDescriptor(descriptor_); }

namespace {

constexpr cudnnSoftmaxAlgorithm_t kAlgorithm = CUDNN_SOFTMAX_ACCURATE;  // the largest is taken off first
constexpr cudnnSoftmaxMode_t kMode = CUDNN_SOFTMAX_MODE_CHANNEL;
constexpr float kOne = 1, kZero = 0;

class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(const Softmax&, const Problem& problem)
      : cudnn_(checked(problem)),
        rows_(cudnn_, problem.src[0].type, problem.src[0].shape.elements() / problem.src[0].shape.sizes().back(),
              problem.src[0].shape.sizes().back()) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false, .backward_reads_dst = true}; }

  void forward(const ForwardArgs& args) override {
    run([&] {
      return cudnn_.SoftmaxForward(handle_on(args.device.stream), kAlgorithm, kMode, &kOne, rows_.get(), args.src[0],
                                   &kZero, rows_.get(), args.dst);
    });
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    const float* before = args.diff_src_mode[0] == GradMode::kAccumulate ? &kOne : &kZero;
    run([&] {
      return cudnn_.SoftmaxBackward(handle_on(args.device.stream), kAlgorithm, kMode, &kOne, rows_.get(), args.dst,
                                    rows_.get(), args.diff_dst, before, rows_.get(), args.diff_src[0]);
    });
  }

 private:
  static const Functions& checked(const Problem& problem) {
    require_gpu(problem);
    if (problem.src[0].type != problem.dst.type) throw Refused("src and dst have different types");
    return library().functions;
  }

  template <class Call>
  void run(const Call& call) const {
    try {
      check(cudnn_, call(), "softmax");
    } catch (const Refused& refused) {
      throw Error(fmt::format("cuDNN: {}", refused.what()));
    }
  }

  const Functions& cudnn_;
  const RowsDescriptor rows_;
};

}  // namespace
}  // namespace cudnn

constinit const Implementation kCudnnSoftmax = {"cudnn", "vendor",
                                                vendor::supports_by_making<cudnn::SoftmaxKernel, Softmax>,
                                                vendor::make_kernel<cudnn::SoftmaxKernel, Softmax>};

}  // namespace cudacards
