#include <cuda_runtime.h>

#include "host/runtime/device_choice.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

void must(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }

}  // namespace

std::string missing_device() {
  static const GpuList gpus = list_gpus();
  return gpus.devices.empty() ? gpus.reason : std::string();
}
bool is_emulated() { return false; }
void* device_allocate(std::size_t bytes, const char*) {
  void* memory = nullptr;
  must(cudaMalloc(&memory, bytes));
  return memory;
}
void device_free(void* memory) { must(cudaFree(memory)); }
void device_write(void* device, const void* host, std::size_t bytes) {
  must(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
}
void device_read(void* host, const void* device, std::size_t bytes) {
  must(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}
Status device_finish() {
  const cudaError_t error = cudaDeviceSynchronize();
  return error == cudaSuccess ? Status::ok() : Status::failed(cudaGetErrorString(error));
}
void for_each_order(const std::function<void()>& body) { body(); }
// A profiler counts there (tools/gpu_suite.py --part counters).
void expect_traffic(const std::string&, const TrafficLimit&, const std::function<void()>& body) { body(); }
void expect_started(const std::string&, const std::function<void()>& body) { body(); }

}  // namespace cudacards::testing
