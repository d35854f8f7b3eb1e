#pragma once
// The devices that tests run operations and networks on: the CPU, and the emulator where this build has one.

#include <vector>

#include "host/runtime/device.h"

namespace cudacards::testing {

/// Null where this build has no emulator.
Device* emulated_device();
/// The CPU, then the emulator where there is one.
const std::vector<Device*>& all_devices();

}  // namespace cudacards::testing
