#pragma once
// What a plan has to know of a device before it takes memory there.

#include <cstdint>

#include "kernels/base/arch.h"

namespace cudacards {

struct KernelTable;  // kernels/table.h

enum class DeviceKind : std::uint8_t { kCpu, kCuda, kEmulated };

const char* name_of(DeviceKind kind);  // "cpu", "cuda", "emulated"

/// Enough to choose implementations and to measure a plan, on a machine without the device too.
struct Target {
  DeviceKind kind = DeviceKind::kCpu;
  Arch arch;                             // of a GPU; what the emulator stands for
  const KernelTable* kernels = nullptr;  // null on the CPU
};

}  // namespace cudacards
