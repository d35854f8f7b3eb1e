#pragma once
// The devices that tests run operations and networks on: the CPU, and one that runs the kernels. That is the emulator
// where this build has one, or the first GPU where CUDACARDS_TEST_DEVICE is "cuda" (tools/gpu_suite.py).

#include <vector>

#include "host/runtime/device.h"

namespace cudacards::testing {

/// Null where there is none; a GPU that was asked for and is missing ends the program with the reason.
Device* tested_device();
/// The CPU, then the one above where there is one.
const std::vector<Device*>& all_devices();

}  // namespace cudacards::testing
