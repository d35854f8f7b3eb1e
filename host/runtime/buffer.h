#pragma once
// Host memory with one owner. 64-byte aligned (a cache line, an AVX-512 vector) and zero-filled.

#include <cstddef>
#include <memory>
#include <span>

namespace cudacards {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t align_up(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

class Buffer {
 public:
  Buffer() = default;
  /// Throws Error with what was asked for when there is no memory; `purpose` is a noun phrase ("the plan's arena").
  explicit Buffer(std::size_t bytes, const char* purpose = "a buffer");

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data_.get()), size_ / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_.get()), size_ / sizeof(T)};
  }

  /// Gives the memory away, to be returned by adopt_and_free().
  std::byte* release() {
    size_ = 0;
    return data_.release();
  }
  static void adopt_and_free(void* released) noexcept { Free{}(static_cast<std::byte*>(released)); }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace cudacards
