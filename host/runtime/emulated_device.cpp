#include "host/runtime/emulated_device.h"

#include <dlfcn.h>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/host_events.h"
#include "host/runtime/memory.h"
#include "kernels/simt/emulator/exported.h"

namespace cudacards {
namespace {

constexpr const char* kLibrary = "libcudacards_emulated.so";
constexpr Arch kEmulatedArch = {9, 0};  // whose tuning the kernels get

struct Library {
  const EmulatedMachine* machine = nullptr;
  std::string reason;  // why there is none
};

// Looked for where the program says (its RUNPATH), then as the system does. Never unloaded: its memory may be in use
// until the very end.
const Library& library() {
  static const Library loaded = [] {
    void* handle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
      return Library{nullptr, fmt::format("{} is not beside the program: this build has no emulator", kLibrary)};
    void* entry = dlsym(handle, "cudacards_emulated_machine");
    if (entry == nullptr) return Library{nullptr, fmt::format("{} is of another build", kLibrary)};
    return Library{reinterpret_cast<decltype(&cudacards_emulated_machine)>(entry)(), ""};
  }();
  return loaded;
}

const EmulatedMachine& machine() {
  if (library().machine == nullptr) throw Error("no emulator: " + library().reason);
  return *library().machine;
}

class EmulatedCapture final : public CapturedWork {
 public:
  EmulatedCapture(const EmulatedMachine& machine, void* capture) : machine_(machine), capture_(capture) {}
  ~EmulatedCapture() override { machine_.free_capture(capture_); }
  void run() override { require(machine_.replay(capture_), "the emulator"); }

 private:
  const EmulatedMachine& machine_;
  void* capture_;
};

class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(const EmulatedMachine& machine)
      : Device({DeviceKind::kEmulated, kEmulatedArch, machine.kernels}, "the emulator"), machine_(machine) {}

  DeviceMemory memory() const override {
    const std::size_t bytes = free_memory().value_or(0);
    return {bytes, bytes};
  }
  std::size_t cache_bytes() const override { return 0; }  // it has none
  Stream stream() const override { return nullptr; }

  void* allocate(std::size_t bytes, const char* purpose) override { return machine_.allocate(bytes, purpose); }
  void free(void* memory) noexcept override { machine_.free(memory); }
  void* allocate_pinned(std::size_t bytes, const char* purpose) override {
    return cpu_device().allocate(bytes, purpose);
  }
  void free_pinned(void* memory) noexcept override { cpu_device().free(memory); }

  void upload(void* device, const void* host, std::size_t bytes) override {
    machine_.copy_to_device(device, host, bytes);
  }
  void download(void* host, const void* device, std::size_t bytes) override {
    require(machine_.copy_to_host(host, device, bytes), "the emulator");
  }
  void copy(void* to, const void* from, std::size_t bytes) override { machine_.copy_to_device(to, from, bytes); }
  void fill(void* device, int byte, std::size_t bytes) override { machine_.fill(device, byte, bytes); }
  void synchronise() override {}

  std::unique_ptr<Event> make_event() override { return std::make_unique<HostEvent>(); }
  std::unique_ptr<CapturedWork> capture(const std::function<void()>& body) override {
    machine_.begin_capture();
    try {
      body();
    } catch (...) {
      machine_.free_capture(machine_.end_capture());
      throw;
    }
    return std::make_unique<EmulatedCapture>(machine_, machine_.end_capture());
  }

  void start_profiler() override { machine_.set_counting(true); }
  void stop_profiler() override { machine_.set_counting(false); }
  WorkCounts counts() const override {
    const EmulatedCounts c = machine_.counts();
    return {c.launches, c.accesses, c.sectors, c.sectors_needed, c.wavefronts, c.wavefronts_needed};
  }

 private:
  const EmulatedMachine& machine_;
};

}  // namespace

std::string missing_emulator() { return library().reason; }

std::unique_ptr<Device> open_emulated_device() { return std::make_unique<EmulatedDevice>(machine()); }

Target emulated_target() { return {DeviceKind::kEmulated, kEmulatedArch, machine().kernels}; }

}  // namespace cudacards
