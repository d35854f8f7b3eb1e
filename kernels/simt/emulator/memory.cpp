#include "kernels/simt/emulator/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cudacards::emulator {
namespace {

constexpr int kPoison = 0xcd;  // 0xcdcdcdcd is -4.3e8 as a float: wrong everywhere, and not a NaN that a max would hide

std::string who(const Stamp& stamp) { return "thread " + std::to_string(stamp.thread); }

}  // namespace

Allocation::Allocation(std::string name, Space space, std::byte* begin, std::size_t bytes)
    : name_(std::move(name)), space_(space), begin_(begin), bytes_(bytes), cells_((bytes + 3) / 4) {
  std::memset(begin_, kPoison, bytes_);
}

bool Allocation::contains(const void* address, std::size_t bytes) const {
  const auto* at = static_cast<const std::byte*>(address);
  return at >= begin_ && at + bytes <= begin_ + bytes_;
}

std::size_t Allocation::first_cell(const void* address) const {
  return static_cast<std::size_t>(static_cast<const std::byte*>(address) - begin_) >> shift_;
}

std::size_t Allocation::last_cell(const void* address, std::size_t bytes) const {
  return (static_cast<std::size_t>(static_cast<const std::byte*>(address) - begin_) + bytes - 1) >> shift_;
}

void Allocation::refine_for(const void* address, std::size_t bytes) {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - begin_);
  while (shift_ > 0 && ((offset | bytes) & ((std::size_t{1} << shift_) - 1)) != 0) {
    std::vector<Cell> halves(2 * cells_.size());
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = cells_[i / 2];
    cells_ = std::move(halves);
    --shift_;
  }
}

Finding Allocation::check(const BlockClock& clock, int thread, const Cell& cell, Access access) const {
  if (cell.in_flight)
    return {FaultKind::kEarlyAsyncRead, "an asynchronous copy to this place of " + name_ + " is still on its way"};
  if (access != Access::kWrite && !cell.initialised)
    return {FaultKind::kUninitialised, "nobody has written this place of " + name_};
  const bool both_atomic = access == Access::kAtomic && cell.written_atomically;
  if (clock.in_this_launch(cell.write) && !both_atomic && !clock.ordered(cell.write, thread)) {
    const std::string other = clock.in_this_block(cell.write) ? who(cell.write) : "another block";
    return {FaultKind::kRace, other + " writes the same place of " + name_ + ", and nothing orders the two"};
  }
  if (access == Access::kRead || !clock.in_this_launch(cell.read)) return {};
  bool ordered = !cell.read_by_other_block && clock.in_this_block(cell.read);
  if (ordered && cell.readers == Cell::Readers::kOne) {
    ordered = clock.ordered(cell.read, thread);
  } else if (ordered && !clock.ordered({cell.read.epoch, 0xffff, 0xffff}, thread)) {  // since the last barrier
    ordered = cell.readers == Cell::Readers::kLanes && cell.read.warp() == thread / kLanes;
    for (int lane = 0; ordered && lane < kLanes; ++lane) {
      if ((cell.reader_lanes >> lane & 1) != 0 && lane != thread % kLanes)
        ordered = clock.knows(thread, lane, cell.read.clock);
    }
  }
  if (ordered) return {};
  const std::string other =
      cell.read_by_other_block || !clock.in_this_block(cell.read) ? "another block" : who(cell.read);
  return {FaultKind::kRace, other + " reads the same place of " + name_ + ", and nothing orders the two"};
}

void Allocation::record(const BlockClock& clock, int thread, Cell& cell, Access access) {
  const Stamp now = clock.now(thread);
  if (access != Access::kRead) {
    cell.write = now;
    cell.written_atomically = access == Access::kAtomic;
    cell.initialised = true;
    cell.read = {};
    cell.readers = Cell::Readers::kOne;
    cell.read_by_other_block = false;
    return;
  }
  if (!clock.in_this_launch(cell.read)) {
    cell.read_by_other_block = false;
    cell.readers = Cell::Readers::kOne;
  } else if (!clock.in_this_block(cell.read)) {
    cell.read_by_other_block = true;
    cell.readers = Cell::Readers::kOne;
  } else if (cell.read.epoch != now.epoch) {
    cell.readers = Cell::Readers::kOne;  // the earlier readers are behind a barrier
  } else if (cell.read.thread != now.thread || cell.readers != Cell::Readers::kOne) {
    const bool same_warp = cell.read.warp() == now.warp();
    if (cell.readers == Cell::Readers::kOne) {
      if (clock.ordered(cell.read, thread)) {
        cell.read = now;
        return;
      }
      cell.reader_lanes = 1u << cell.read.lane();
      cell.readers = Cell::Readers::kLanes;
    }
    if (!same_warp) cell.readers = Cell::Readers::kMany;
    cell.reader_lanes |= 1u << now.lane();
  }
  cell.read = now;
}

Finding Allocation::access(const BlockClock& clock, int thread, const void* address, std::size_t bytes, Access access) {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - begin_);
  if (shift_ > 0 && ((offset | bytes) & ((std::size_t{1} << shift_) - 1)) != 0) refine_for(address, bytes);
  const std::size_t first = first_cell(address), last = last_cell(address, bytes);
  for (std::size_t i = first; i <= last; ++i) {
    if (Finding finding = check(clock, thread, cells_[i], access)) return finding;
    record(clock, thread, cells_[i], access);
  }
  return {};
}

void Allocation::mark_written(const void* address, std::size_t bytes) {
  if (bytes == 0) return;
  refine_for(address, bytes);
  for (std::size_t i = first_cell(address), last = last_cell(address, bytes); i <= last; ++i) {
    cells_[i] = {};
    cells_[i].initialised = true;
  }
}

Finding Allocation::read_by_host(const void* address, std::size_t bytes) const {
  for (std::size_t i = first_cell(address), last = last_cell(address, bytes); i <= last; ++i) {
    if (cells_[i].initialised) continue;
    return {FaultKind::kUninitialised, "nobody has written byte " + std::to_string(i << shift_) + " of " + name_};
  }
  return {};
}

void Allocation::mark_in_flight(const void* address, std::size_t bytes, bool in_flight) {
  refine_for(address, bytes);
  for (std::size_t i = first_cell(address), last = last_cell(address, bytes); i <= last; ++i)
    cells_[i].in_flight = in_flight;
}

void Allocation::poison() {
  std::memset(begin_, kPoison, bytes_);
  std::fill(cells_.begin(), cells_.end(), Cell{});
}

Memory::Memory() : pages_(kBytes / kPage) {
  void* base = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    std::fprintf(stderr, "emulator: no %zu GB of addresses to be had for device memory\n", kBytes >> 30);
    std::abort();
  }
  base_ = static_cast<std::byte*>(base);
}

Memory::~Memory() { munmap(base_, kBytes); }

Allocation& Memory::allocate(std::size_t bytes, std::string name, Space space) {
  const std::size_t pages = (bytes + kPage - 1) / kPage + 1;  // the last belongs to nobody
  if (next_page_ + pages > pages_.size()) next_page_ = 0;     // after 8 GB from the start again
  const auto is_taken = [](const Allocation* a) { return a != nullptr && !a->freed; };
  std::size_t first = next_page_;
  for (std::size_t i = 0; i < pages; ++i) {
    if (first + pages > pages_.size()) {
      std::fprintf(stderr, "emulator: out of device memory: %zu bytes for %s\n", bytes, name.c_str());
      std::abort();
    }
    if (is_taken(pages_[first + i])) {
      first += i + 1;
      i = static_cast<std::size_t>(-1);
    }
  }
  next_page_ = first + pages;
  // Small vectors begin at the page's begin too: 65536-byte aligned, as cudaMalloc's 256 at least.
  for (std::size_t i = 0; i < pages; ++i) {
    Allocation* old = pages_[first + i];
    if (old == nullptr) continue;
    for (Allocation*& page : pages_) {
      if (page == old) page = nullptr;
    }
    std::erase_if(allocations_, [&](const auto& a) { return a.get() == old; });
  }
  allocations_.push_back(std::make_unique<Allocation>(std::move(name), space, base_ + first * kPage, bytes));
  std::fill_n(pages_.begin() + static_cast<std::ptrdiff_t>(first), pages, allocations_.back().get());
  return *allocations_.back();
}

void Memory::free(const void* begin) {
  Allocation* allocation = find(begin);
  if (allocation == nullptr || allocation->begin() != begin || allocation->freed) {
    std::fprintf(stderr, "emulator: freed what is not an allocation\n");
    std::abort();
  }
  allocation->freed = true;
  madvise(allocation->begin(), allocation->bytes(), MADV_DONTNEED);
}

Allocation* Memory::find(const void* address) const {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - base_);
  return offset < kBytes ? pages_[offset / kPage] : nullptr;  // an address below base_ wraps around to a large offset
}

}  // namespace cudacards::emulator
