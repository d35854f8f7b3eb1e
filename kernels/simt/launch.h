#pragma once
// The only place that starts a kernel, so that no launch goes unchecked. For .cu files.

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "kernels/base/status.h"

namespace cudacards {

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
};

/// Starts `kernel` and tells why it could not be started. What goes wrong while it runs is reported by a later call, as
/// CUDA does.
template <class... Parameters, class... Arguments>
Status launch(void (*kernel)(Parameters...), const LaunchConfig& config, Arguments&&... arguments) {
  cudaLaunchConfig_t cuda = {};
  cuda.gridDim = config.grid;
  cuda.blockDim = config.block;
  cuda.dynamicSmemBytes = config.shared_bytes;
  cuda.stream = config.stream;
  const cudaError_t error = cudaLaunchKernelEx(&cuda, kernel, static_cast<Parameters>(arguments)...);
  if (error == cudaSuccess) return Status::ok();
  cudaGetLastError();  // it has been told: the next launch starts clean
  return Status::failed(std::string("kernel launch: ") + cudaGetErrorString(error));
}

}  // namespace cudacards
