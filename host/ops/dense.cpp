#include <fmt/format.h>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/onednn.h"
#include "host/runtime/error.h"

namespace cudacards {

Dense::Dense(int units, Activation activation, bool bias) : units(units), activation(activation), bias(bias) {
  if (units < 1) throw Error(fmt::format("units must be positive, got {}", units));
}

Shape Dense::infer_shape(std::span<const Shape> src) const {
  const Shape& shape = only_source(src);
  if (shape.rank() != 2)
    throw Error(fmt::format("expected vectors (N, features), got {}: flatten or pool first", shape.to_string()));
  return {shape[0], units};
}

std::vector<ParameterSpec> Dense::parameters(std::span<const Shape> src) const {
  const std::int64_t in = only_source(src)[1];
  std::vector<ParameterSpec> specs = {{.name = "weights",
                                       .shape = {units, in},
                                       .initialiser = Initialiser::kGlorotUniform,
                                       .fan_in = in,
                                       .fan_out = units,
                                       .decays = true}};
  if (bias) specs.push_back({.name = "bias", .shape = {units}});
  return specs;
}

double Dense::flops(std::span<const Shape> src) const {
  return 2.0 * static_cast<double>(only_source(src).elements()) * units;
}

std::unique_ptr<Operation> Dense::fuse(const Operation& consumer, const Shape&) const {
  const auto* layer = dynamic_cast<const ActivationLayer*>(&consumer);
  if (!layer || activation != Activation::kNone) return nullptr;
  return std::make_unique<Dense>(units, layer->activation, bias);
}

std::span<const Implementation> Dense::implementations(DeviceKind device) const {
  static const std::array kCpu = {kCpuDense, kOnednnDense, kReferenceDense};
  static const std::array kCuda = {kCudaDense, kCublasLtDense, kCudaReferenceDense};
  static const std::array kEmulated = {kCudaDense, kCudaReferenceDense};
  if (device == DeviceKind::kCuda) return kCuda;
  if (device == DeviceKind::kEmulated) return kEmulated;
  return kCpu;
}

}  // namespace cudacards
