#pragma once
// The devices that tests run operations and networks on: the CPU, the emulator where this build has one, a GPU where
// there is one.

#include <string>
#include <vector>

#include "host/runtime/device.h"

namespace cudacards::testing {

/// Null where this build has no emulator.
Device* emulated_device();
/// Null where there is no GPU or where this build cannot use it: missing_cuda_device() says why. Opened at the first call.
Device* cuda_device();
std::string missing_cuda_device();
/// The CPU, then the emulator where there is one. A GPU is not among them: what runs there is skipped with a reason where
/// there is none.
const std::vector<Device*>& all_devices();

}  // namespace cudacards::testing
