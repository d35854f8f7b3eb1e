#pragma once
// Which devices there are, and which one a run gets. The CUDA driver is looked for when it is asked about, never
// linked: the same program starts on a machine without one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/arch.h"

namespace cudacards {

enum class DeviceKind : std::uint8_t { kCpu, kCuda, kEmulated };

const char* name_of(DeviceKind kind);  // "cpu", "cuda", "emulated"

struct GpuDevice {
  int index = 0;
  std::string name;
  Arch arch;
  std::size_t memory_bytes = 0;
};

/// What the CUDA driver says. Without a driver or a GPU: no devices, and the reason in words.
struct GpuList {
  std::vector<GpuDevice> devices;
  std::string driver;  // the CUDA version that the driver supports, "13.0"; empty where there is no driver
  std::string reason;  // why there is no device
};
GpuList list_gpus();

/// True where this build contains the CUDA kernels.
bool built_with_cuda();

struct DeviceChoice {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;
  std::string reason;  // why auto fell back to the CPU; empty otherwise
};

/// `request` is auto, cpu, cuda or cuda:N. Only auto falls back: a GPU asked for by name and missing is an Error that
/// says why.
DeviceChoice choose_device(const std::string& request);

}  // namespace cudacards
