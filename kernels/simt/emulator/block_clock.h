#pragma once
// What happened before what, inside one launch. Blocks are never ordered; the threads of a block are ordered by its
// barriers, the lanes of a warp also by __syncwarp. Shuffles, votes and matrix instructions order nothing: CUDA
// promises no more.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace cudacards::emulator {

constexpr int kLanes = 32;

/// Who did something, and when: `epoch` counts barriers and blocks over the life of the machine, `clock` the __syncwarp
/// of the warp.
struct Stamp {
  std::uint32_t epoch = 0;  // 0: never
  std::uint16_t thread = 0;
  std::uint16_t clock = 0;

  int warp() const { return thread / kLanes; }
  int lane() const { return thread % kLanes; }
};

class BlockClock {
 public:
  void begin_launch() { launch_first_ = ++epoch_; }
  void begin_block(int threads) {
    block_first_ = ++epoch_;
    warps_.assign(static_cast<std::size_t>((threads + kLanes - 1) / kLanes), Warp{});
  }
  void pass_barrier() { ++epoch_; }

  /// __syncwarp of the lanes in `mask`: each now knows what the others knew, and their own doings up to here.
  void sync_warp(int warp, std::uint32_t mask) {
    Warp& w = warps_[static_cast<std::size_t>(warp)];
    std::uint16_t known[kLanes] = {};
    for (int lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      for (int other = 0; other < kLanes; ++other) known[other] = std::max(known[other], w.known[lane][other]);
      known[lane] = std::max(known[lane], w.clock[lane]);
    }
    const auto next = static_cast<std::uint16_t>(++w.syncs);
    for (int lane = 0; lane < kLanes; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      std::copy(std::begin(known), std::end(known), w.known[lane]);
      w.clock[lane] = next;
    }
  }

  Stamp now(int thread) const {
    return {epoch_, static_cast<std::uint16_t>(thread),
            warps_[static_cast<std::size_t>(thread / kLanes)].clock[thread % kLanes]};
  }

  bool in_this_launch(const Stamp& then) const { return then.epoch >= launch_first_; }
  bool in_this_block(const Stamp& then) const { return then.epoch >= block_first_; }

  /// Whether what was done at `then`, in this launch, is certainly done before what `thread` does now.
  bool ordered(const Stamp& then, int thread) const {
    if (!in_this_block(then)) return false;
    if (then.epoch < epoch_ || then.thread == thread) return true;
    return then.warp() == thread / kLanes && knows(thread, then.lane(), then.clock);
  }

  /// Whether `thread` has, since the last barrier, been synchronised with the lane's doings up to `clock`.
  bool knows(int thread, int lane, std::uint16_t clock) const {
    return warps_[static_cast<std::size_t>(thread / kLanes)].known[thread % kLanes][lane] >= clock;
  }

 private:
  struct Warp {
    std::uint32_t syncs = 1;
    std::uint16_t clock[kLanes];          // of each lane: the number of its last __syncwarp
    std::uint16_t known[kLanes][kLanes];  // [lane][other]: up to which clock `other`'s doings lie before lane's now
    Warp() {
      std::fill(std::begin(clock), std::end(clock), std::uint16_t{1});
      for (auto& row : known) std::fill(std::begin(row), std::end(row), std::uint16_t{0});
    }
  };

  std::uint32_t epoch_ = 0, launch_first_ = 0, block_first_ = 0;
  std::vector<Warp> warps_;
};

}  // namespace cudacards::emulator
