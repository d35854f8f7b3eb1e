#include "host/ops/vendor/device_steps.h"

#include "host/runtime/device.h"

namespace cudacards::vendor {

void activate(const KernelTable& kernels, Activation activation, const Elements& elements, void* dst, Stream stream) {
  require(kernels.activation_forward({.elements = elements.count, .activation = activation}, elements.type, {dst, dst},
                                     stream, kDefaultElementwiseTuning),
          "activation, forward");
}

void mask_gradient(const KernelTable& kernels, Activation activation, const Elements& elements, const void* dst,
                   const void* diff, void* masked, Stream stream) {
  require(kernels.activation_backward({.elements = elements.count, .activation = activation}, elements.type,
                                      {dst, diff, masked, GradMode::kOverwrite}, stream, kDefaultElementwiseTuning),
          "activation, backward");
}

void add_into(const KernelTable& kernels, const Elements& elements, const void* addend, void* sum, Stream stream) {
  require(kernels.add_backward({.elements = elements.count}, elements.type, {addend, sum, GradMode::kAccumulate},
                               stream, kDefaultElementwiseTuning),
          "adding a gradient");
}

}  // namespace cudacards::vendor
