#include "kernels/simt/emulator/exported.h"

#include "kernels/linked_table.h"
#include "kernels/simt/emulator/emulator.h"

namespace cudacards::emulator {
namespace {

EmulatedCounts sum_of_counters() {
  EmulatedCounts sum;
  for (const auto& [name, kernel] : counters()) {
    sum.launches += kernel.launches;
    sum.accesses += kernel.accesses;
    for (const Flow flow : {Flow::kGlobalLoad, Flow::kGlobalStore}) {
      sum.sectors += kernel.of(flow).units;
      sum.sectors_needed += kernel.of(flow).needed;
    }
    for (const Flow flow : {Flow::kSharedLoad, Flow::kSharedStore}) {
      sum.wavefronts += kernel.of(flow).units;
      sum.wavefronts_needed += kernel.of(flow).needed;
    }
  }
  return sum;
}

constexpr EmulatedMachine kMachine = {
    .kernels = &kLinkedKernels,
    .allocate = [](std::size_t bytes, const char* name) { return allocate(bytes, name); },
    .free = free,
    .copy_to_device = copy_to_device,
    .copy_to_host = copy_to_host,
    .fill = fill,
    .begin_capture = begin_capture,
    .end_capture = []() -> void* { return end_capture().release(); },
    .replay = [](void* capture) { return replay(*static_cast<Capture*>(capture)); },
    .free_capture = [](void* capture) { FreeCapture{}(static_cast<Capture*>(capture)); },
    .set_counting = [](bool on) { settings().counting = on ? Counting::kOn : Counting::kOff; },
    .counts = sum_of_counters,
};

}  // namespace
}  // namespace cudacards::emulator

extern "C" const cudacards::EmulatedMachine* cudacards_emulated_machine() { return &cudacards::emulator::kMachine; }
