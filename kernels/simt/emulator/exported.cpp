#include "kernels/simt/emulator/exported.h"

#include "kernels/linked_table.h"
#include "kernels/simt/emulator/emulator.h"

namespace cudacards::emulator {
namespace {

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
};

}  // namespace
}  // namespace cudacards::emulator

extern "C" const cudacards::EmulatedMachine* cudacards_emulated_machine() { return &cudacards::emulator::kMachine; }
