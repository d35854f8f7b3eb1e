#include "tests/support/tested_device.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "host/runtime/device_choice.h"
#include "host/runtime/emulated_device.h"
#include "host/runtime/error.h"

namespace cudacards::testing {
namespace {

std::unique_ptr<OpenDevice> open_tested_device() {
  const char* wanted = std::getenv("CUDACARDS_TEST_DEVICE");
  if (wanted == nullptr && !missing_emulator().empty()) return nullptr;
  try {
    return std::make_unique<OpenDevice>(choose_device(wanted == nullptr ? "emulated" : wanted));
  } catch (const Error& error) {
    fmt::print(stderr, "CUDACARDS_TEST_DEVICE={}: {}\n", wanted == nullptr ? "emulated" : wanted, error.what());
    std::exit(1);
  }
}

}  // namespace

Device* tested_device() {
  static const std::unique_ptr<OpenDevice> device = open_tested_device();
  return device == nullptr ? nullptr : &**device;
}

const std::vector<Device*>& all_devices() {
  static const std::vector<Device*> devices = [] {
    std::vector<Device*> all = {&cpu_device()};
    if (tested_device() != nullptr) all.push_back(tested_device());
    return all;
  }();
  return devices;
}

}  // namespace cudacards::testing
