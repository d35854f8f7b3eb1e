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

WorkCounts& WorkCounts::operator+=(const WorkCounts& other) {
  launches += other.launches;
  accesses += other.accesses;
  sectors += other.sectors;
  sectors_needed += other.sectors_needed;
  wavefronts += other.wavefronts;
  wavefronts_needed += other.wavefronts_needed;
  return *this;
}

WorkCounts operator-(const WorkCounts& a, const WorkCounts& b) {
  return {a.launches - b.launches,     a.accesses - b.accesses,
          a.sectors - b.sectors,       a.sectors_needed - b.sectors_needed,
          a.wavefronts - b.wavefronts, a.wavefronts_needed - b.wavefronts_needed};
}

void require(const Status& status, const std::string& what) {
  if (!status) throw Error(fmt::format("{}: {}", what, status.reason()));
}

}  // namespace cudacards
