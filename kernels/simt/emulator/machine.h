#pragma once
// The machine itself: fibers for the threads of one block, barriers, warp operations. Shared by the emulator's own
// files.

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/simt/emulator/block_clock.h"
#include "kernels/simt/emulator/counters.h"
#include "kernels/simt/emulator/device_side.h"
#include "kernels/simt/emulator/emulator.h"
#include "kernels/simt/emulator/launch.h"
#include "kernels/simt/emulator/memory.h"

namespace cudacards::emulator {

struct AsyncCopy {
  std::byte* to;
  const std::byte* from;
  int bytes, source_bytes;
  const void* caller;
};

/// What a lane brings to a warp operation: where its values are, and what tells the operation from others.
struct WarpCall {
  unsigned mask = 0;
  const void* caller = nullptr;  // where in the kernel; lanes of one operation agree
  int site = 0;
  /// Does the operation for the lanes of `mask` at once; `calls` is indexed by lane.
  void (*resolve)(class Machine&, int warp, unsigned mask, WarpCall* const* calls) = nullptr;
  void* values = nullptr;  // of the operation's own type, on the lane's stack
};

struct Fiber {
  enum class State : std::uint8_t { kReady, kAtBarrier, kAtWarpOperation, kDone };
  boost::context::detail::fcontext_t context = nullptr;
  std::byte* stack = nullptr;
  State state = State::kReady;
  Index3 index{};
  const void* caller = nullptr;  // of the barrier
  int site = 0;
  WarpCall* call = nullptr;
  std::deque<std::vector<AsyncCopy>> groups;  // committed, oldest first
  std::vector<AsyncCopy> open_group;
};

class Machine {
 public:
  static Machine& instance();

  Status run(const Grid& grid, const void* kernel, void (*call)(void*), void* context);

  // From a kernel's thread.
  bool in_kernel() const { return current_ != nullptr; }
  int thread() const { return static_cast<int>(current_ - fibers_.data()); }
  Fiber& fiber() { return *current_; }
  void access(const void* address, std::size_t bytes, Access access, const void* caller);
  void check_space(const void* address, std::size_t bytes, Space space, const void* caller);
  void wait_at_barrier(const void* caller, int site);
  void wait_for_warp(WarpCall& call);
  /// Ends the launch. From a thread it does not return.
  void fault(FaultKind kind, std::string detail, const void* caller);
  void fault_of(int thread, FaultKind kind, std::string detail, const void* caller);

  Memory memory;
  BlockClock clock;
  RequestCounter requests;
  KernelCounters* counting_into = nullptr;  // of the running kernel
  Settings settings;
  std::map<std::string, KernelCounters> counters;
  std::vector<Fault> faults;
  std::mutex mutex;
  Index3 block{}, block_size{}, grid_size{};

  bool counts_traffic() const { return settings.counting == Counting::kOn; }
  int threads() const { return thread_count_; }
  Fiber& fiber_at(int thread) { return fibers_[static_cast<std::size_t>(thread)]; }
  void* static_shared(const void* identity, std::size_t bytes, std::size_t alignment);
  void* dynamic_shared();

 private:
  Machine() = default;

  bool is_private(std::uintptr_t address) const;  // the thread's own stack
  void make_fibers(int count);
  void prepare_shared();
  void run_block();
  void run_ready_threads();
  bool resolve_warp(int warp);
  bool release_barrier();
  void explain_standstill();
  void yield();
  static void enter(boost::context::detail::transfer_t from);

  struct StaticTile {
    const void* identity;
    Allocation* memory;
  };

  std::vector<Fiber> fibers_;
  int thread_count_ = 0, done_ = 0;
  Fiber* current_ = nullptr;
  boost::context::detail::fcontext_t scheduler_ = nullptr;
  void (*call_)(void*) = nullptr;
  void* call_context_ = nullptr;
  std::string kernel_name_;
  bool faulted_ = false;
  const void* fault_caller_ = nullptr;
  std::uint64_t accesses_in_turn_ = 0;
  std::vector<int> turns_;
  std::uint64_t random_ = 0;
  std::vector<StaticTile> static_tiles_;  // of the running kernel
  std::size_t static_bytes_ = 0;
  Allocation* dynamic_tile_ = nullptr;
  std::uintptr_t host_stack_begin_ = 0, host_stack_end_ = 0;
};

/// Waits as a lane of `mask` for the others and has `Operation::resolve(machine, warp, mask, lanes)` called once for
/// all, where lanes[l] points to lane l's operation.
template <class Operation>
void warp_operation(Operation& operation, unsigned mask, const void* caller, int site = 0) {
  WarpCall call{mask, caller, site,
                [](Machine& machine, int warp, unsigned lanes_in, WarpCall* const* calls) {
                  Operation* lanes[kLanes] = {};
                  for (int lane = 0; lane < kLanes; ++lane) {
                    if ((lanes_in >> lane & 1) != 0) lanes[lane] = static_cast<Operation*>(calls[lane]->values);
                  }
                  Operation::resolve(machine, warp, lanes_in, lanes);
                },
                &operation};
  Machine::instance().wait_for_warp(call);
}

}  // namespace cudacards::emulator
