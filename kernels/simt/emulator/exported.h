#pragma once
// The emulator and its kernels as a program sees them that loads the library by name: one function, one value.

#include <cstddef>
#include <cstdint>

#include "kernels/base/status.h"
#include "kernels/table.h"

namespace cudacards {

/// Sums over all kernels since the library was loaded. Requests (counters.h) only of launches while counting was on.
struct EmulatedCounts {
  std::uint64_t launches = 0, accesses = 0, sectors = 0, sectors_needed = 0, wavefronts = 0, wavefronts_needed = 0;
};

/// What a runtime needs of a device (kernels/simt/emulator/emulator.h says what each does).
struct EmulatedMachine {
  const KernelTable* kernels;
  void* (*allocate)(std::size_t bytes, const char* name);
  void (*free)(void* memory);
  void (*copy_to_device)(void* device, const void* host, std::size_t bytes);
  Status (*copy_to_host)(void* host, const void* device, std::size_t bytes);
  void (*fill)(void* device, int byte, std::size_t bytes);
  /// Launches, copies and fills from begin_capture() on are kept instead of done, with the values that they have now.
  void (*begin_capture)();
  void* (*end_capture)();
  Status (*replay)(void* capture);
  void (*free_capture)(void* capture);
  void (*set_counting)(bool on);
  EmulatedCounts (*counts)();
};

}  // namespace cudacards

/// What the library exports besides its C++ names.
extern "C" const cudacards::EmulatedMachine* cudacards_emulated_machine();
