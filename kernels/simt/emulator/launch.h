#pragma once
// launch() of kernels/simt/launch.h on the emulator.

#include <cstddef>
#include <tuple>
#include <utility>

#include "kernels/base/status.h"
#include "kernels/simt/emulator/language.h"

namespace cudacards::emulator {

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
};

/// Runs `call(context)` as every thread of the grid; `kernel` is the address that names it.
Status run_grid(const Grid& grid, const void* kernel, void (*call)(void*), void* context);

/// The kernel with the values of its parameters. They live on the launching thread's stack, which kernels may read:
/// CUDA's constant parameter space.
template <class... Parameters>
struct BoundKernel {
  void (*kernel)(Parameters...);
  std::tuple<Parameters...> parameters;

  static void call(void* self) {
    auto& bound = *static_cast<BoundKernel*>(self);
    std::apply(bound.kernel, bound.parameters);
  }
};

template <class... Parameters>
Status launch(void (*kernel)(Parameters...), const Grid& grid, Parameters... parameters) {
  BoundKernel<Parameters...> bound{kernel, {parameters...}};
  return run_grid(grid, reinterpret_cast<const void*>(kernel), &BoundKernel<Parameters...>::call, &bound);
}

}  // namespace cudacards::emulator
