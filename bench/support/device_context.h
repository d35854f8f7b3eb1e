#pragma once
// What a benchmark's output says of the machine.

#include <benchmark/benchmark.h>

#include "host/runtime/cpu.h"
#include "host/runtime/device.h"
#include "host/runtime/threads.h"

namespace cudacards::bench {

inline void add_device_context(const Device& device) {
  benchmark::AddCustomContext("device", device.is_cpu() ? cpu_info().model : device.name());
  benchmark::AddCustomContext("device_kind", name_of(device.kind()));
  benchmark::AddCustomContext("threads", std::to_string(threads()));
  if (device.kind() == DeviceKind::kEmulated)
    benchmark::AddCustomContext("times",
                                "mean nothing: the emulator checks kernels, it does not stand for a GPU's speed");
}

}  // namespace cudacards::bench
