#include <cstring>

#include "host/runtime/buffer.h"
#include "host/runtime/cpu.h"
#include "host/runtime/device.h"
#include "host/runtime/host_events.h"
#include "host/runtime/memory.h"

namespace cudacards {
namespace {

class ReplayedBody final : public CapturedWork {
 public:
  explicit ReplayedBody(std::function<void()> body) : body_(std::move(body)) {}
  void run() override { body_(); }

 private:
  std::function<void()> body_;
};

class CpuDevice final : public Device {
 public:
  CpuDevice() : Device({}, "CPU") {}

  DeviceMemory memory() const override {
    const std::size_t bytes = free_memory().value_or(0);
    return {bytes, bytes};
  }
  std::size_t cache_bytes() const override { return last_cache_bytes(); }
  Stream stream() const override { return nullptr; }

  void* allocate(std::size_t bytes, const char* purpose) override { return Buffer(bytes, purpose).release(); }
  void free(void* memory) noexcept override { Buffer::adopt_and_free(memory); }
  void* allocate_pinned(std::size_t bytes, const char* purpose) override { return allocate(bytes, purpose); }
  void free_pinned(void* memory) noexcept override { free(memory); }

  void upload(void* device, const void* host, std::size_t bytes) override { copy(device, host, bytes); }
  void download(void* host, const void* device, std::size_t bytes) override { copy(host, device, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void fill(void* device, int byte, std::size_t bytes) override {
    if (bytes > 0) std::memset(device, byte, bytes);
  }
  void synchronise() override {}

  std::unique_ptr<Event> make_event() override { return std::make_unique<HostEvent>(); }
  /// The body itself: what it computes on the host is computed again.
  std::unique_ptr<CapturedWork> capture(const std::function<void()>& body) override {
    return std::make_unique<ReplayedBody>(body);
  }
};

}  // namespace

Device& cpu_device() {
  static CpuDevice device;
  return device;
}

}  // namespace cudacards
