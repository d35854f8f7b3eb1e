#pragma once
// Memory of a device, and pinned memory of the host, with one owner each.

#include <cstddef>
#include <memory>
#include <span>

#include "host/runtime/device.h"

namespace cudacards {

struct FreeOnDevice {
  Device* device = nullptr;
  void operator()(std::byte* memory) const { device->free(memory); }
};
struct FreePinned {
  Device* device = nullptr;
  void operator()(std::byte* memory) const { device->free_pinned(memory); }
};

/// What both kinds offer. Addresses of device memory mean something to the host on the CPU only.
template <class Free>
class OwnedMemory {
 public:
  OwnedMemory() = default;

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data_.get()), size_ / sizeof(T)};
  }

 protected:
  OwnedMemory(Device& device, void* memory, std::size_t bytes)
      : data_(static_cast<std::byte*>(memory), Free{&device}), size_(bytes) {}

 private:
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

/// The device must outlive the buffer. Not initialised, unless on the CPU.
class DeviceBuffer final : public OwnedMemory<FreeOnDevice> {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(Device& device, std::size_t bytes, const char* purpose)
      : OwnedMemory(device, bytes > 0 ? device.allocate(bytes, purpose) : nullptr, bytes) {}
};

class PinnedBuffer final : public OwnedMemory<FreePinned> {
 public:
  PinnedBuffer() = default;
  PinnedBuffer(Device& device, std::size_t bytes, const char* purpose)
      : OwnedMemory(device, bytes > 0 ? device.allocate_pinned(bytes, purpose) : nullptr, bytes) {}
};

}  // namespace cudacards
