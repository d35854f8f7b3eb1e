#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "bench/sweep/machine.h"
#include "host/runtime/error.h"

namespace cudacards::sweep {
namespace {

void must(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw Error(fmt::format("{}: {}", what, cudaGetErrorString(error)));
}

class CudaMachine final : public Machine {
 public:
  CudaMachine() {
    must(cudaGetDeviceProperties(&properties_, 0), "cannot ask the GPU what it is");
    flush_bytes_ = 4 * static_cast<std::size_t>(std::max(properties_.l2CacheSize, 16 << 20));
    // A stream that waits for the default stream: a copy of pageable memory may return before it has landed.
    must(cudaStreamCreate(&stream_), "cannot make a stream");
    must(cudaEventCreate(&begin_), "cannot make an event");
    must(cudaEventCreate(&end_), "cannot make an event");
    flush_ = allocate(flush_bytes_);
  }
  ~CudaMachine() override {
    cudaFree(flush_);
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_);
  }
  CudaMachine(const CudaMachine&) = delete;
  CudaMachine& operator=(const CudaMachine&) = delete;

  std::string gpu() const override { return properties_.name; }
  Arch arch() const override { return {properties_.major, properties_.minor}; }
  int multiprocessors() const override { return properties_.multiProcessorCount; }

  void* allocate(std::size_t bytes) override {
    void* memory = nullptr;
    must(cudaMalloc(&memory, bytes), fmt::format("cannot allocate {} bytes on the GPU", bytes).c_str());
    return memory;
  }
  void release(void* memory) override { cudaFree(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    must(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "cannot copy to the GPU");
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    must(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "cannot copy from the GPU");
  }

  Status run(const Launch& launch) override {
    if (Status status = launch(stream_); !status) return status;
    const cudaError_t error = cudaStreamSynchronize(stream_);
    return error == cudaSuccess ? Status::ok() : Status::failed(cudaGetErrorString(error));
  }

  double microseconds(const Launch& launch) override {
    constexpr int kWarmUps = 3, kLeast = 11, kMost = 51;
    constexpr double kEnough = 0.2e6;  // microseconds of measured time, from kLeast on
    for (int i = 0; i < kWarmUps; ++i) must_run(launch);
    std::vector<double> times;
    double sum = 0;
    while (static_cast<int>(times.size()) < kMost && (static_cast<int>(times.size()) < kLeast || sum < kEnough)) {
      must(cudaMemsetAsync(flush_, static_cast<int>(times.size()), flush_bytes_, stream_), "cannot flush the cache");
      must(cudaEventRecord(begin_, stream_), "cannot record an event");
      if (const Status status = launch(stream_); !status) throw Error(status.reason());
      must(cudaEventRecord(end_, stream_), "cannot record an event");
      must(cudaEventSynchronize(end_), "a timed kernel failed");
      float milliseconds = 0;
      must(cudaEventElapsedTime(&milliseconds, begin_, end_), "cannot read the events");
      times.push_back(1000.0 * milliseconds);
      sum += times.back();
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
  }

 private:
  void must_run(const Launch& launch) {
    if (const Status status = run(launch); !status) throw Error(status.reason());
  }

  cudaDeviceProp properties_ = {};
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  std::size_t flush_bytes_ = 0;
  void* flush_ = nullptr;
};

}  // namespace

std::unique_ptr<Machine> cuda_machine() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0)
    throw Error(fmt::format("no GPU to time kernels on: {}",
                            error == cudaSuccess ? "CUDA finds no device" : cudaGetErrorString(error)));
  return std::make_unique<CudaMachine>();
}

}  // namespace cudacards::sweep
