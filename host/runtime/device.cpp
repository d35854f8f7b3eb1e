#include "host/runtime/device.h"

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {

const char* name_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kCpu:
      return "cpu";
    case DeviceKind::kCuda:
      return "cuda";
    case DeviceKind::kEmulated:
      return "emulated";
  }
  return "?";
}

void require(const Status& status, const std::string& what) {
  if (!status) throw Error(fmt::format("{}: {}", what, status.reason()));
}

}  // namespace cudacards
