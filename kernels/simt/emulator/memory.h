#pragma once
// Device and shared memory with a history for each element: who wrote it last, who has read it since, whether anybody
// wrote it at all. Race detection after Flanagan and Freund, "FastTrack: efficient and precise dynamic race detection",
// PLDI 2009: the last write and the last reads are enough.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/simt/emulator/block_clock.h"
#include "kernels/simt/emulator/fault.h"

namespace cudacards::emulator {

enum class Access : std::uint8_t { kRead, kWrite, kAtomic };
enum class Space : std::uint8_t { kGlobal, kShared };

/// What is wrong with an access; no fault where `detail` is empty.
struct Finding {
  FaultKind kind = FaultKind::kRace;
  std::string detail;
  explicit operator bool() const { return !detail.empty(); }
};

/// The history of `granule` neighbouring bytes.
struct Cell {
  Stamp write;
  Stamp read;                      // the latest
  std::uint32_t reader_lanes = 0;  // of read.warp(), where several of its lanes read unordered
  enum class Readers : std::uint8_t { kOne, kLanes, kMany } readers = Readers::kOne;
  bool read_by_other_block = false;
  bool written_atomically = false;
  bool initialised = false;
  bool in_flight = false;  // the destination of an asynchronous copy that nobody waited for
};

class Allocation {
 public:
  Allocation(std::string name, Space space, std::byte* begin, std::size_t bytes);

  const std::string& name() const { return name_; }
  Space space() const { return space_; }
  std::byte* begin() const { return begin_; }
  std::size_t bytes() const { return bytes_; }
  bool contains(const void* address, std::size_t bytes) const;

  /// Of an access that lies inside. Faults leave the history as it was.
  Finding access(const BlockClock& clock, int thread, const void* address, std::size_t bytes, Access access);
  void mark_written(const void* address, std::size_t bytes);  // by the host
  /// The host reads: what is wrong with that.
  Finding read_by_host(const void* address, std::size_t bytes) const;
  void mark_in_flight(const void* address, std::size_t bytes, bool in_flight);
  /// Undefined again, as shared memory is when a block begins: poisoned bytes, no history.
  void poison();

  bool freed = false;

 private:
  std::size_t first_cell(const void* address) const;
  std::size_t last_cell(const void* address, std::size_t bytes) const;
  void refine_for(const void* address, std::size_t bytes);
  Finding check(const BlockClock& clock, int thread, const Cell& cell, Access access) const;
  static void record(const BlockClock& clock, int thread, Cell& cell, Access access);

  std::string name_;
  Space space_;
  std::byte* begin_;
  std::size_t bytes_;
  // Bytes a cell, as a power of two: cells begin as wide as a float and are halved where narrower accesses come.
  unsigned shift_ = 2;
  std::vector<Cell> cells_;
};

/// All allocations, found by address. Each begins a page of its own and is followed by one that belongs to nobody, so
/// that an address past the end is never somebody else's; freed ones are remembered until their addresses are used
/// again.
class Memory {
 public:
  Memory();
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Allocation& allocate(std::size_t bytes, std::string name, Space space);
  void free(const void* begin);
  /// The allocation in whose pages the address lies; null where there is none.
  Allocation* find(const void* address) const;

 private:
  static constexpr std::size_t kPage = std::size_t{1} << 16;
  static constexpr std::size_t kBytes = std::size_t{8} << 30;  // of addresses; memory is taken as it is touched

  std::byte* base_ = nullptr;
  std::size_t next_page_ = 0;
  std::vector<Allocation*> pages_;
  std::vector<std::unique_ptr<Allocation>> allocations_;
};

}  // namespace cudacards::emulator
