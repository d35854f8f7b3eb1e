#pragma once
// A GPU as a device. What is asked about it before it is opened is in device_choice.h.

#include <memory>

#include "host/runtime/device.h"
#include "host/runtime/upload_queue.h"

namespace cudacards {

/// What this build has for GPUs.
struct CudaBuild {
  bool has_kernels = false;
  int runtime_version = 0;  // of the CUDA runtime that is linked in: 13000
  Arch oldest;              // for which kernels were compiled
};
CudaBuild cuda_build();

/// Throws Error where the build has no CUDA or the GPU cannot be used.
std::unique_ptr<Device> open_cuda_device(int index);
/// Of a device that open_cuda_device() has made.
std::unique_ptr<UploadQueue> make_cuda_upload_queue(Device& device);
/// What a plan for a GPU of that architecture needs; no GPU, no driver. Throws Error where the build has no CUDA.
Target cuda_target(Arch arch);

}  // namespace cudacards
