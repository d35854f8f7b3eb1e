#pragma once
// Memory that notices a write past its ends, and whose contents start as NaN, so that a read of what nobody wrote
// shows.

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "host/runtime/buffer.h"

namespace cudacards::testing {

class GuardedBuffer {
 public:
  /// `bytes` between two guard bands; 64-byte aligned, the band behind begins at the very next byte.
  GuardedBuffer(std::size_t bytes, std::string name);
  ~GuardedBuffer() { EXPECT_TRUE(intact()); }
  GuardedBuffer(GuardedBuffer&&) = default;

  /// False with the buffer's name and the offset of the first byte that was overwritten.
  ::testing::AssertionResult intact() const;
  /// All bytes 0xff: a NaN in fp32, bf16 and double.
  void poison();

  void* data() { return bytes_ == 0 ? nullptr : memory_.data() + kGuard; }
  std::size_t size() const { return bytes_; }
  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(memory_.data() + kGuard), bytes_ / sizeof(T)};
  }

 private:
  static constexpr std::size_t kGuard = 512;
  std::string name_;
  std::size_t bytes_;
  Buffer memory_;
};

}  // namespace cudacards::testing
