#pragma once
// The only place that starts a kernel, so that no launch goes unchecked. For .cu files.

#include <cstddef>
#include <string>

#include "kernels/base/status.h"
#include "kernels/simt/cuda.h"
#ifdef CUDACARDS_EMULATED
#include "kernels/simt/emulator/launch.h"
#endif

namespace cudacards {

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  // of dynamic_shared()
  cudaStream_t stream = nullptr;
};

/// Starts `kernel` and tells why it could not be started. What goes wrong while it runs is reported by a later call, as
/// CUDA does; on the emulator, which is done when this returns, by this one.
template <class... Parameters, class... Arguments>
Status launch(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
#ifdef CUDACARDS_EMULATED
  return emulator::launch(kernel, {config.grid, config.block, config.shared_bytes},
                          static_cast<Parameters>(arguments)...);
#else
  constexpr std::size_t kWithoutAsking = 48 * 1024;  // more shared memory has to be asked for, once a kernel
  cudaError_t error = cudaSuccess;
  if (config.shared_bytes > kWithoutAsking) {
    error = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(config.shared_bytes));
  }
  if (error == cudaSuccess) {
    cudaLaunchConfig_t cuda = {};
    cuda.gridDim = config.grid;
    cuda.blockDim = config.block;
    cuda.dynamicSmemBytes = config.shared_bytes;
    cuda.stream = config.stream;
    error = cudaLaunchKernelEx(&cuda, kernel, static_cast<Parameters>(arguments)...);
  }
  if (error == cudaSuccess) return Status::ok();
  cudaGetLastError();  // it has been told: the next launch starts clean
  return Status::failed(std::string("kernel launch: ") + cudaGetErrorString(error));
#endif
}

}  // namespace cudacards
