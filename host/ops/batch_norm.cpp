#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/onednn.h"

namespace cudacards {

Shape BatchNorm::infer_shape(std::span<const Shape> src) const { return only_source(src); }

std::vector<ParameterSpec> BatchNorm::parameters(std::span<const Shape> src) const {
  const Shape& shape = only_source(src);
  const Shape channels{shape[shape.rank() - 1]};
  return {{.name = "gamma", .shape = channels, .initialiser = Initialiser::kOnes},
          {.name = "beta", .shape = channels},
          {.name = "mean", .shape = channels, .trainable = false},
          {.name = "variance", .shape = channels, .initialiser = Initialiser::kOnes, .trainable = false}};
}

std::unique_ptr<Operation> BatchNorm::fuse(const Operation& consumer, const Shape&) const {
  const auto* layer = dynamic_cast<const ActivationLayer*>(&consumer);
  if (!layer || activation != Activation::kNone) return nullptr;
  return std::make_unique<BatchNorm>(momentum, epsilon, layer->activation);
}

std::span<const Implementation> BatchNorm::implementations(DeviceKind device) const {
  static const std::array kCpu = {kCpuBatchNorm, kOnednnBatchNorm, kReferenceBatchNorm};
  static const std::array kCuda = {kCudaBatchNorm, kCudnnBatchNorm, kCudaReferenceBatchNorm};
  static const std::array kEmulated = {kCudaBatchNorm, kCudaReferenceBatchNorm};
  if (device == DeviceKind::kCuda) return kCuda;
  if (device == DeviceKind::kEmulated) return kEmulated;
  return kCpu;
}

}  // namespace cudacards
