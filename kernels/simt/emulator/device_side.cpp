// Indices, barriers, shared memory, single accesses and asynchronous copies.

#include "kernels/simt/emulator/device_side.h"

#include <cstring>

#include "kernels/simt/emulator/machine.h"

namespace cudacards::emulator {

Index3 thread_index() { return Machine::instance().fiber().index; }
Index3 block_index() { return Machine::instance().block; }
Index3 block_size() { return Machine::instance().block_size; }
Index3 grid_size() { return Machine::instance().grid_size; }

const void* this_address() { return __builtin_return_address(0); }

void barrier(int site) { Machine::instance().wait_at_barrier(__builtin_return_address(0), site); }

void warp_barrier(unsigned mask, int site) {
  struct Sync {
    static void resolve(Machine& machine, int warp, unsigned lanes, Sync* const*) {
      machine.clock.sync_warp(warp, lanes);
    }
  } sync;
  warp_operation(sync, mask, __builtin_return_address(0), site);
}

void* static_shared(const void* identity, std::size_t bytes, std::size_t alignment) {
  return Machine::instance().static_shared(identity, bytes, alignment);
}
void* dynamic_shared() { return Machine::instance().dynamic_shared(); }

void read_memory(const void* from, void* to, std::size_t bytes, const void* caller) {
  Machine::instance().access(from, bytes, Access::kRead, caller);
  std::memcpy(to, from, bytes);
}

void write_memory(void* to, const void* from, std::size_t bytes, const void* caller) {
  Machine::instance().access(to, bytes, Access::kWrite, caller);
  std::memcpy(to, from, bytes);
}

void atomic_access(const void* address, std::size_t bytes, const void* caller) {
  Machine::instance().access(address, bytes, Access::kAtomic, caller);
}

void async_copy(void* to, const void* from, int bytes, int source_bytes, const void* caller) {
  Machine& machine = Machine::instance();
  const auto size = static_cast<std::size_t>(bytes);
  machine.check_space(to, size, Space::kShared, caller);
  // The write is checked where it is asked for and where it lands: in between nobody may touch the place.
  machine.access(to, size, Access::kWrite, caller);
  if (source_bytes > 0) {
    machine.check_space(from, static_cast<std::size_t>(source_bytes), Space::kGlobal, caller);
    machine.access(from, static_cast<std::size_t>(source_bytes), Access::kRead, caller);
  }
  machine.memory.find(to)->mark_in_flight(to, size, true);
  machine.fiber().open_group.push_back(
      {static_cast<std::byte*>(to), static_cast<const std::byte*>(from), bytes, source_bytes, caller});
}

void async_commit() {
  Fiber& fiber = Machine::instance().fiber();
  fiber.groups.push_back(std::move(fiber.open_group));
  fiber.open_group.clear();
}

void async_wait(int pending_groups) {
  Machine& machine = Machine::instance();
  Fiber& fiber = machine.fiber();
  while (fiber.groups.size() > static_cast<std::size_t>(pending_groups)) {
    for (const AsyncCopy& copy : fiber.groups.front()) {
      const auto size = static_cast<std::size_t>(copy.bytes), from_source = static_cast<std::size_t>(copy.source_bytes);
      Allocation& tile = *machine.memory.find(copy.to);
      tile.mark_in_flight(copy.to, size, false);
      // Landing is a write of this thread, now; it is no request of its own.
      if (Finding finding = tile.access(machine.clock, machine.thread(), copy.to, size, Access::kWrite))
        machine.fault(finding.kind, std::move(finding.detail), copy.caller);
      std::memcpy(copy.to, copy.from, from_source);
      std::memset(copy.to + from_source, 0, size - from_source);
    }
    fiber.groups.pop_front();
  }
}

}  // namespace cudacards::emulator
