#pragma once
// A tensor where an implementation runs: guarded host memory for the CPU, device memory for the emulator, which watches
// every byte by itself.

#include <memory>
#include <string>
#include <vector>

#include "host/runtime/device_buffer.h"
#include "kernels/base/dtype.h"
#include "tests/support/guarded_buffer.h"

namespace cudacards::testing {

class TensorMemory {
 public:
  /// Poisoned: a read of what nobody wrote shows.
  TensorMemory(Device& device, std::size_t bytes, std::string name);
  TensorMemory(Device& device, const std::vector<float>& values, DType type, std::string name);

  void store(const std::vector<float>& values, DType type);
  std::vector<float> load(DType type);
  /// As new: what is in it must not be read any more.
  void poison();
  void* data() { return host_ ? host_->data() : device_memory_.data(); }
  float* floats() { return static_cast<float*>(data()); }

 private:
  Device* device_;
  std::string name_;
  std::size_t bytes_;
  std::unique_ptr<GuardedBuffer> host_;  // of the CPU
  DeviceBuffer device_memory_;
};

}  // namespace cudacards::testing
