#pragma once
// The emulator as tests and `--device emulated` use it: device memory, the order in which threads run, what was found,
// what was counted. One machine a process; launches from several host threads wait for each other.
//
// It runs the threads of a block as fibers, one at a time, each until it waits for others, and the blocks one after
// another. It sees every memory access (instrumented by the compiler, -fsanitize=thread) and is the strictest machine
// that CUDA allows: what only works by luck on some GPU is a fault here. What it cannot see: time, registers, and weak
// memory order between blocks.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/simt/emulator/counters.h"
#include "kernels/simt/emulator/fault.h"

namespace cudacards::emulator {

/// Device memory, poisoned; `name` is what faults call it. Freed addresses are not used again before 8 GB have passed.
void* allocate(std::size_t bytes, const std::string& name);
void free(void* memory);
/// Copies by the host: what is copied to counts as written.
void copy_to_device(void* device, const void* host, std::size_t bytes);
/// Copies whatever is there; a fault where nobody has written some of it.
Status copy_to_host(void* host, const void* device, std::size_t bytes);
void fill(void* device, int byte, std::size_t bytes);
/// Whether the address lies in an allocation that has not been freed.
bool is_device_memory(const void* memory);

/// A captured graph: launches, copies and fills from begin_capture() on are kept instead of done, with the pointers and
/// parameters that they have at that moment; replay() does them in their order and ends at the first that fails. Copies
/// read the host's memory when they are replayed, as on a GPU.
class Capture;
struct FreeCapture {
  void operator()(Capture* capture) const;
};
using CapturePointer = std::unique_ptr<Capture, FreeCapture>;
void begin_capture();
CapturePointer end_capture();
Status replay(const Capture& capture);

/// In which order the blocks of a grid and the threads of a block get their turns. Results must not depend on it.
enum class Order : std::uint8_t { kForward, kReverse, kShuffled };
enum class Counting : bool { kOff, kOn };

struct Settings {
  Order order = Order::kForward;
  std::uint64_t seed = 1;              // of kShuffled
  Counting counting = Counting::kOff;  // requests, sectors, wavefronts: three times slower
  // A thread that makes more accesses than this without waiting for others waits for something that never comes.
  std::uint64_t most_accesses_in_a_turn = std::uint64_t{1} << 28;
};
Settings& settings();

/// What has been found since the last call. A launch that found something says so in its Status too, and its kernel was
/// abandoned there: at most one fault a launch.
std::vector<Fault> take_faults();

/// Of each kernel by name, since the last reset. Traffic only where counting was on.
const std::map<std::string, KernelCounters>& counters();
void reset_counters();

}  // namespace cudacards::emulator
