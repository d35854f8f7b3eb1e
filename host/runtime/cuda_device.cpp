#include "host/runtime/cuda_device.h"

#include "host/runtime/error.h"

#ifdef CUDACARDS_HAS_CUDA

#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>

#include <fmt/format.h>

#include "host/runtime/memory.h"
#include "kernels/table.h"

namespace cudacards {
namespace {

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // it has been told: the next call starts clean
  throw Error(fmt::format("CUDA: {}: {}", what, cudaGetErrorString(error)));
}

class CudaEvent final : public Event {
 public:
  explicit CudaEvent(cudaStream_t stream) : stream_(stream) { check(cudaEventCreate(&event_), "making an event"); }
  ~CudaEvent() override { (void)cudaEventDestroy(event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  void record() override { check(cudaEventRecord(event_, stream_), "recording an event"); }
  void wait() override { check(cudaEventSynchronize(event_), "waiting for the GPU"); }
  void hold_up(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0), "waiting on the GPU"); }
  double seconds_since(const Event& earlier) override {
    wait();
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, static_cast<const CudaEvent&>(earlier).event_, event_), "timing");
    return static_cast<double>(milliseconds) / 1000;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t event_ = nullptr;
};

class CudaGraph final : public CapturedWork {
 public:
  CudaGraph(cudaGraph_t graph, cudaStream_t stream) : stream_(stream) {
    const cudaError_t error = cudaGraphInstantiate(&graph_, graph, 0);
    (void)cudaGraphDestroy(graph);
    check(error, "making a graph of the step");
  }
  ~CudaGraph() override { (void)cudaGraphExecDestroy(graph_); }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  void run() override { check(cudaGraphLaunch(graph_, stream_), "starting the step's graph"); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

struct GpuProperties {
  Arch arch;
  std::string name;
};

GpuProperties select_gpu(int index) {
  check(cudaSetDevice(index), "choosing the GPU");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking the GPU what it is");
  return {{properties.major, properties.minor}, properties.name};
}

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(const GpuProperties& gpu) : Device(cuda_target(gpu.arch), gpu.name) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  }
  ~CudaDevice() override { (void)cudaStreamDestroy(stream_); }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  DeviceMemory memory() const override {
    DeviceMemory memory;
    check(cudaMemGetInfo(&memory.free, &memory.total), "asking for free memory");
    return memory;
  }
  std::size_t cache_bytes() const override {
    int device = 0, bytes = 0;
    check(cudaGetDevice(&device), "asking for the GPU");
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device), "asking for the size of the GPU's cache");
    return static_cast<std::size_t>(bytes);
  }
  Stream stream() const override { return stream_; }

  void* allocate(std::size_t bytes, const char* purpose) override {
    void* memory = nullptr;
    if (const cudaError_t error = cudaMalloc(&memory, bytes); error != cudaSuccess) {
      (void)cudaGetLastError();
      if (error != cudaErrorMemoryAllocation) check(error, purpose);
      throw Error(
          fmt::format("out of device memory: {} needs {}, and {} are free; use a smaller --batch or --image-size",
                      purpose, mebibytes(bytes), mebibytes(this->memory().free)));
    }
    return memory;
  }
  void free(void* memory) noexcept override { (void)cudaFree(memory); }

  void* allocate_pinned(std::size_t bytes, const char* purpose) override {
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), purpose);
    return memory;
  }
  void free_pinned(void* memory) noexcept override { (void)cudaFreeHost(memory); }

  void upload(void* device, const void* host, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  }
  void download(void* host, const void* device, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the GPU");
    synchronise();
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_), "copying on the GPU");
  }
  void fill(void* device, int byte, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemsetAsync(device, byte, bytes, stream_), "filling memory on the GPU");
  }
  void synchronise() override { check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

  std::unique_ptr<Event> make_event() override { return std::make_unique<CudaEvent>(stream_); }

  // Relaxed: the loader's thread may go on with what has nothing to do with this stream.
  std::unique_ptr<CapturedWork> capture(const std::function<void()>& body) override {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "capturing the step");
    cudaGraph_t graph = nullptr;
    try {
      body();
    } catch (...) {
      (void)cudaStreamEndCapture(stream_, &graph);
      if (graph != nullptr) (void)cudaGraphDestroy(graph);
      throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "capturing the step");
    return std::make_unique<CudaGraph>(graph, stream_);
  }

  // Both fail where no profiler is attached to hear it, which is nobody's fault.
  void start_profiler() override {
    synchronise();
    (void)cudaProfilerStart();
  }
  void stop_profiler() override {
    synchronise();
    (void)cudaProfilerStop();
  }

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaUploads final : public UploadQueue {
 public:
  explicit CudaUploads(Device& device) : work_(static_cast<cudaStream_t>(device.stream())) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
    arrived_ = std::make_unique<CudaEvent>(stream_);
  }
  ~CudaUploads() override { (void)cudaStreamDestroy(stream_); }
  CudaUploads(const CudaUploads&) = delete;
  CudaUploads& operator=(const CudaUploads&) = delete;

  void wait_for(const Event& event) override { static_cast<const CudaEvent&>(event).hold_up(stream_); }
  void upload(void* device, const void* host, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
  }
  void join() override {
    arrived_->record();
    arrived_->hold_up(work_);
  }
  std::unique_ptr<Event> make_event() override { return std::make_unique<CudaEvent>(stream_); }

 private:
  const cudaStream_t work_;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<CudaEvent> arrived_;
};

}  // namespace

CudaBuild cuda_build() {
  constexpr int kOldest = CUDACARDS_OLDEST_CUDA_ARCH;  // 80; 0 where only for the GPUs of the machine that built it
  return {true, CUDART_VERSION, {kOldest / 10, kOldest % 10}};
}

std::unique_ptr<UploadQueue> make_cuda_upload_queue(Device& device) { return std::make_unique<CudaUploads>(device); }

std::unique_ptr<Device> open_cuda_device(int index) { return std::make_unique<CudaDevice>(select_gpu(index)); }

Target cuda_target(Arch arch) { return {DeviceKind::kCuda, arch, &cuda_kernels()}; }

}  // namespace cudacards

#else

namespace cudacards {
namespace {

[[noreturn]] void refuse() {
  throw Error("this build has no CUDA kernels: build it where nvcc is (see README.md), or use --device cpu");
}

}  // namespace

CudaBuild cuda_build() { return {}; }
std::unique_ptr<Device> open_cuda_device(int) { refuse(); }
std::unique_ptr<UploadQueue> make_cuda_upload_queue(Device&) { refuse(); }
Target cuda_target(Arch) { refuse(); }

}  // namespace cudacards

#endif
