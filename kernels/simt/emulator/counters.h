#pragma once
// Memory requests of a kernel as the hardware would see them: the accesses that the lanes of a warp make at one
// instruction are one request.

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/simt/emulator/memory.h"

namespace cudacards::emulator {

/// Global: `units` are the 32-byte sectors that the request touches; shared: the wavefronts (passes over the 32 banks
/// of four bytes) that it takes. `needed` is the least for the same number of distinct bytes.
struct Traffic {
  std::uint64_t requests = 0, units = 0, needed = 0;
  double excess() const { return needed == 0 ? 1.0 : static_cast<double>(units) / static_cast<double>(needed); }
  double per_request() const {
    return requests == 0 ? 0.0 : static_cast<double>(units) / static_cast<double>(requests);
  }
  Traffic& operator+=(const Traffic& other);
};

enum class Flow : std::uint8_t { kGlobalLoad, kGlobalStore, kSharedLoad, kSharedStore };
constexpr int kFlows = 4;
const char* name_of(Flow flow);

struct KernelCounters {
  std::uint64_t launches = 0, blocks = 0, threads = 0, accesses = 0, barriers = 0, warp_operations = 0;
  double seconds = 0;
  std::set<std::uint64_t> problems;  // hashes of the grid and the parameters that are not pointers
  std::set<std::uint8_t> orders;     // of threads and blocks, emulator::Order
  std::array<Traffic, kFlows> traffic;
  const Traffic& of(Flow flow) const { return traffic[static_cast<std::size_t>(flow)]; }
  /// By source line, "softmax.cu:41", to find who is to blame.
  std::map<std::string, std::array<Traffic, kFlows>> lines;
  KernelCounters& operator+=(const KernelCounters& other);
};

/// Gathers one block's requests. All lanes pass an instruction for the n-th time between two barriers together, or not
/// at all: the n-th time is counted for each thread from the last barrier on.
class RequestCounter {
 public:
  void begin_block(int threads);
  void add(int thread, const void* pc, Flow flow, const void* address, std::size_t bytes);
  /// A request by itself, as ldmatrix makes them: the addresses of up to 32 lanes.
  void add_whole(const void* pc, Flow flow, const std::vector<const void*>& addresses, std::size_t bytes_each);
  /// At a barrier and at the end of a block: what has been gathered is complete.
  void flush(KernelCounters& into);

 private:
  struct Request {
    Flow flow = Flow::kGlobalLoad;
    std::uint32_t bytes = 0;
    int lanes = 0;
    std::array<std::uintptr_t, kLanes> addresses;
    std::array<std::uint8_t, kLanes> lane_of;
  };
  struct Site {
    const void* pc = nullptr;
    Flow flow = Flow::kGlobalLoad;
    std::vector<std::uint32_t> passes;           // of each thread, since the last flush
    std::vector<std::vector<Request>> requests;  // of each warp: [pass]
  };
  Site& site_of(const void* pc, Flow flow);
  static Traffic cost(const Request& request);

  int threads_ = 0;
  std::unordered_map<std::uintptr_t, std::size_t> site_index_;
  std::vector<Site> sites_;
  std::unordered_map<const void*, std::array<Traffic, kFlows>> by_pc_;
};

}  // namespace cudacards::emulator
