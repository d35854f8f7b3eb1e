#include "host/ops/place.h"

#include <fmt/format.h>

#include "host/ops/vendor/onednn_version.h"
#include "host/runtime/build_id.h"
#include "host/runtime/cpu.h"
#include "host/runtime/cuda_device.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

std::string hardware(const Device& device) {
  if (device.is_cpu()) return fmt::format("{}, {}, {} threads", cpu_info().model, onednn_instruction_set(), threads());
  const Arch arch = device.target().arch;
  return fmt::format("{}, sm_{}{}", device.name(), arch.major, arch.minor);
}

/// Of the libraries whose kernels may be chosen.
std::string libraries(const Device& device) {
  if (device.is_cpu()) return "oneDNN " + onednn_version();
  return fmt::format("CUDA runtime {}", cuda_build().runtime_version);
}

}  // namespace

std::string place_of(const Device& device) {
  return fmt::format("{}: {}; {}; build {}", name_of(device.kind()), hardware(device), libraries(device), build_id());
}

}  // namespace cudacards
