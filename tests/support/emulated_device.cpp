#include "tests/support/emulated_device.h"

#include "host/runtime/device_choice.h"
#include "host/runtime/emulated_device.h"

namespace cudacards::testing {

Device* emulated_device() {
  static const std::unique_ptr<Device> device = missing_emulator().empty() ? open_emulated_device() : nullptr;
  return device.get();
}

std::string missing_cuda_device() {
  static const std::string obstacle = cuda_obstacle(list_gpus(), 0, cuda_build());
  return obstacle;
}

Device* cuda_device() {
  static const std::unique_ptr<Device> device = missing_cuda_device().empty() ? open_cuda_device(0) : nullptr;
  return device.get();
}

const std::vector<Device*>& all_devices() {
  static const std::vector<Device*> devices = [] {
    std::vector<Device*> all = {&cpu_device()};
    if (emulated_device() != nullptr) all.push_back(emulated_device());
    return all;
  }();
  return devices;
}

}  // namespace cudacards::testing
