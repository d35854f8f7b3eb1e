#include "kernels/simt/emulator/emulator.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/simt/emulator/capture.h"
#include "kernels/simt/emulator/machine.h"

namespace cudacards::emulator {
namespace {

Allocation& must_contain(const void* memory, std::size_t bytes, const char* what) {
  Allocation* allocation = Machine::instance().memory.find(memory);
  if (allocation != nullptr && !allocation->freed && allocation->contains(memory, bytes)) return *allocation;
  std::fprintf(stderr, "emulator: the host's %s of %zu bytes goes outside device memory\n", what, bytes);
  std::abort();
}

void copy_now(void* device, const void* host, std::size_t bytes) {
  must_contain(device, bytes, "copy").mark_written(device, bytes);
  std::memcpy(device, host, bytes);
}

void fill_now(void* device, int byte, std::size_t bytes) {
  must_contain(device, bytes, "fill").mark_written(device, bytes);
  std::memset(device, byte, bytes);
}

}  // namespace

void* allocate(std::size_t bytes, const std::string& name) {
  const std::lock_guard lock(Machine::instance().mutex);
  return Machine::instance().memory.allocate(bytes, name, Space::kGlobal).begin();
}

void free(void* memory) {
  const std::lock_guard lock(Machine::instance().mutex);
  Machine::instance().memory.free(memory);
}

void copy_to_device(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  if (Capture* capture = current_capture()) return capture->add([=] { copy_now(device, host, bytes); });
  copy_now(device, host, bytes);
}

Status copy_to_host(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return Status::ok();
  if (current_capture() != nullptr) {
    std::fprintf(stderr, "emulator: the host reads device memory during a capture\n");
    std::abort();
  }
  const Allocation& from = must_contain(device, bytes, "copy");
  std::memcpy(host, device, bytes);
  Finding finding = from.read_by_host(device, bytes);
  if (!finding) return Status::ok();
  std::vector<Fault>& faults = Machine::instance().faults;
  faults.push_back({finding.kind, kHost, {}, {}, {}, std::move(finding.detail)});
  return Status::failed(faults.back().to_string());
}

void fill(void* device, int byte, std::size_t bytes) {
  if (bytes == 0) return;
  if (Capture* capture = current_capture()) return capture->add([=] { fill_now(device, byte, bytes); });
  fill_now(device, byte, bytes);
}

bool is_device_memory(const void* memory) {
  const Allocation* allocation = Machine::instance().memory.find(memory);
  return allocation != nullptr && !allocation->freed;
}

Settings& settings() { return Machine::instance().settings; }

std::vector<Fault> take_faults() { return std::exchange(Machine::instance().faults, {}); }

const std::map<std::string, KernelCounters>& counters() { return Machine::instance().counters; }

void reset_counters() { Machine::instance().counters.clear(); }

}  // namespace cudacards::emulator
