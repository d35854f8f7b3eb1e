#pragma once
// A device: its memory, its order of work, its kernels. The CPU is one too, so that a plan is placed and run alike
// everywhere; the CUDA runtime is called in one file (cuda_device.cpp) and nowhere else on the host.
//
// Work is done in one order, the device's stream: launches, copies and fills return before they are done, download()
// and synchronise() when they are. Not thread-safe. Everything throws Error when the device reports a failure, also one
// of work that was begun earlier.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "host/runtime/device_kind.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"

namespace cudacards {

struct DeviceMemory {
  std::size_t free = 0, total = 0;  // bytes
};

/// What kernels have done, where it can be counted: memory requests in 32-byte sectors of global and wavefronts of shared
/// memory, made and needed at least (kernels/simt/emulator/counters.h).
struct WorkCounts {
  std::uint64_t launches = 0, accesses = 0, sectors = 0, sectors_needed = 0, wavefronts = 0, wavefronts_needed = 0;
  WorkCounts& operator+=(const WorkCounts& other);
  friend WorkCounts operator-(const WorkCounts& a, const WorkCounts& b);
};

/// A point in the order of work.
class Event {
 public:
  virtual ~Event() = default;
  virtual void record() = 0;
  /// Returns when the work before record() is done; at once where nothing was recorded.
  virtual void wait() = 0;
  /// Between two recorded points; waits for the later one, which is this.
  virtual double seconds_since(const Event& earlier) = 0;
};

/// Work that was captured once and is done again by run(), with the pointers and sizes that it had.
class CapturedWork {
 public:
  virtual ~CapturedWork() = default;
  virtual void run() = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  const Target& target() const { return target_; }
  DeviceKind kind() const { return target_.kind; }
  const KernelTable& kernels() const { return *target_.kernels; }  // not of the CPU
  const std::string& name() const { return name_; }                // "NVIDIA H200"
  bool is_cpu() const { return target_.kind == DeviceKind::kCpu; }

  virtual DeviceMemory memory() const = 0;
  /// Of the last cache before the memory. What lies further apart than this was read from memory.
  virtual std::size_t cache_bytes() const = 0;
  virtual Stream stream() const = 0;

  /// 256-byte aligned, not initialised (the CPU's is zero). Throws Error with need and have where there is none;
  /// `purpose` is a noun phrase ("the plan's arena").
  virtual void* allocate(std::size_t bytes, const char* purpose) = 0;
  virtual void free(void* memory) noexcept = 0;
  /// Host memory from which copies to the device need no detour.
  virtual void* allocate_pinned(std::size_t bytes, const char* purpose) = 0;
  virtual void free_pinned(void* memory) noexcept = 0;

  /// The host's memory may be changed once the work is done: after synchronise() or an event (pageable memory: on
  /// return).
  virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* device, std::size_t bytes) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void fill(void* device, int byte, std::size_t bytes) = 0;
  virtual void synchronise() = 0;

  virtual std::unique_ptr<Event> make_event() = 0;
  /// What `body` launches, copies and fills is kept and not done. It must not allocate, download or synchronise.
  virtual std::unique_ptr<CapturedWork> capture(const std::function<void()>& body) = 0;

  /// For the device's own tools: what is done between the two is what they record. Nothing on the CPU; the emulator
  /// counts in between.
  virtual void start_profiler() {}
  virtual void stop_profiler() {}
  /// All so far; zero where nothing counts.
  virtual WorkCounts counts() const { return {}; }

 protected:
  Device(const Target& target, std::string name) : target_(target), name_(std::move(name)) {}

 private:
  const Target target_;
  const std::string name_;
};

/// The host itself. One for the whole program.
Device& cpu_device();

/// Throws Error with the reason of a launch that failed; `what` names it ("dense: forward").
void require(const Status& status, const std::string& what);

}  // namespace cudacards
