#pragma once
// Where a measurement holds: which device, with which libraries, by which build of the program.

#include <string>

#include "host/runtime/device.h"

namespace cudacards {

/// "cpu: AMD EPYC 9B14, AVX-512 with VNNI, 2 threads; oneDNN 2.6.3; build 3f2a...", "cuda: NVIDIA H200, sm_90; ...".
std::string place_of(const Device& device);

}  // namespace cudacards
