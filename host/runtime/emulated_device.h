#pragma once
// The emulator (kernels/simt/emulator) as a device: a library of its own, loaded when it is asked for.

#include <memory>
#include <string>

#include "host/runtime/device.h"

namespace cudacards {

/// Why there is none; empty where there is one.
std::string missing_emulator();
/// Throws Error where the library is missing. One machine a process: all devices share it.
std::unique_ptr<Device> open_emulated_device();
/// What a plan for it needs, without opening a device.
Target emulated_target();

}  // namespace cudacards
