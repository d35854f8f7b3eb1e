#pragma once
// Which devices there are, and which one a run gets. The CUDA driver is looked for when it is asked about, never
// linked: the same program starts on a machine without one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/runtime/cuda_device.h"
#include "host/runtime/device.h"

namespace cudacards {

struct GpuDevice {
  int index = 0;
  std::string name;
  Arch arch;
  std::size_t memory_bytes = 0;
};

/// What the CUDA driver says. Without a driver or a GPU: no devices, and the reason in words.
struct GpuList {
  std::vector<GpuDevice> devices;
  std::string driver;      // the CUDA version that the driver supports, "13.0"; empty where there is no driver
  int driver_version = 0;  // the same as a number: 13000
  std::string reason;      // why there is no device
};
GpuList list_gpus();

/// Why GPU `index` of the list cannot run what this build has: no GPU, no CUDA in the build, a driver that is older
/// than the CUDA runtime, a GPU that is older than the kernels. Empty where it can.
std::string cuda_obstacle(const GpuList& gpus, int index, const CudaBuild& build);

struct DeviceChoice {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;       // of a GPU
  std::string reason;  // why auto fell back to the CPU; empty otherwise
};

/// `request` is auto, cpu, cuda, cuda:N or emulated. Only auto falls back: a device asked for by name and missing is an
/// Error that says why. Takes no memory on the device.
DeviceChoice choose_device(const std::string& request);

/// The chosen device, ready for work.
class OpenDevice {
 public:
  explicit OpenDevice(const DeviceChoice& choice);
  Device& operator*() const { return *device_; }
  Device* operator->() const { return device_; }

 private:
  std::unique_ptr<Device> owned_;  // null: the CPU, which nobody owns
  Device* device_;
};

/// For a plan that is only looked at: choose_device()'s, but for "cuda" no GPU need be there; then an sm_90 is assumed.
Target target_of(const std::string& request);

}  // namespace cudacards
