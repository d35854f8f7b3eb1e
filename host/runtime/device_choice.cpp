#include "host/runtime/device_choice.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "host/runtime/did_you_mean.h"
#include "host/runtime/emulated_device.h"
#include "host/runtime/error.h"
#include "host/runtime/shared_library.h"

namespace cudacards {
namespace {

// The part of the CUDA driver's interface (cuda.h) that lists devices. Loaded by name, so that no build and no start
// needs a driver.
class Driver {
 public:
  Driver() : library_(SharedLibrary::open({"libcuda.so.1"})) {
    library_.load(init, "cuInit");
    library_.load(driver_version, "cuDriverGetVersion");
    library_.load(device_count, "cuDeviceGetCount");
    library_.load(device_name, "cuDeviceGetName");
    library_.load(device_memory, "cuDeviceTotalMem_v2");
    library_.load(device_attribute, "cuDeviceGetAttribute");
    library_.load(error_text, "cuGetErrorString");
  }

  bool is_loaded() const { return library_.is_loaded(); }
  bool is_complete() const {
    return init && driver_version && device_count && device_name && device_memory && device_attribute && error_text;
  }
  std::string describe(int error) const {
    const char* text = nullptr;
    error_text(error, &text);
    return text != nullptr ? text : fmt::format("error {}", error);
  }

  // CUresult and CUdevice are ints; 0 is success.
  int (*init)(unsigned flags) = nullptr;
  int (*driver_version)(int* version) = nullptr;
  int (*device_count)(int* count) = nullptr;
  int (*device_name)(char* name, int size, int device) = nullptr;
  int (*device_memory)(std::size_t* bytes, int device) = nullptr;
  int (*device_attribute)(int* value, int attribute, int device) = nullptr;
  int (*error_text)(int error, const char** text) = nullptr;

 private:
  SharedLibrary library_;
};

constexpr int kComputeCapabilityMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int kComputeCapabilityMinor = 76;

GpuDevice describe_device(const Driver& driver, int index) {
  GpuDevice device;
  device.index = index;
  char name[256] = "";
  if (driver.device_name(name, sizeof name, index) == 0) device.name = name;
  driver.device_memory(&device.memory_bytes, index);
  driver.device_attribute(&device.arch.major, kComputeCapabilityMajor, index);
  driver.device_attribute(&device.arch.minor, kComputeCapabilityMinor, index);
  return device;
}

}  // namespace

GpuList list_gpus() {
  GpuList list;
  const Driver driver;
  if (!driver.is_loaded()) {
    list.reason = "no CUDA driver (libcuda.so.1) on this machine";
    return list;
  }
  if (!driver.is_complete()) {
    list.reason = "libcuda.so.1 lacks functions of the CUDA driver: is it a stub of the toolkit?";
    return list;
  }
  int version = 0;
  if (driver.driver_version(&version) == 0) list.driver_version = version;
  if (version > 0) list.driver = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  int count = 0;
  int error = driver.init(0);
  if (error == 0) error = driver.device_count(&count);
  if (error != 0) {
    list.reason = fmt::format("the CUDA driver says: {}", driver.describe(error));
    return list;
  }
  for (int index = 0; index < count; ++index) list.devices.push_back(describe_device(driver, index));
  if (count == 0) list.reason = "the CUDA driver sees no GPU";
  return list;
}

std::string cuda_obstacle(const GpuList& gpus, int index, const CudaBuild& build) {
  if (!build.has_kernels) return "this build has no CUDA kernels (no CUDA compiler was found when it was built)";
  if (gpus.devices.empty()) return gpus.reason;
  if (index >= static_cast<int>(gpus.devices.size()))
    return fmt::format("there are {} GPUs, cuda:0 to cuda:{}", gpus.devices.size(), gpus.devices.size() - 1);
  // Within a major version any driver serves any runtime.
  if (gpus.driver_version / 1000 < build.runtime_version / 1000) {
    return fmt::format("the driver is for CUDA {}, this build needs {}.0: update the driver, or build with CUDA {}",
                       gpus.driver, build.runtime_version / 1000, gpus.driver);
  }
  const GpuDevice& gpu = gpus.devices[static_cast<std::size_t>(index)];
  if (gpu.arch < build.oldest) {
    return fmt::format("{} has compute capability {}.{}, and the kernels of this build are for {}.{} and later",
                       gpu.name, gpu.arch.major, gpu.arch.minor, build.oldest.major, build.oldest.minor);
  }
  return "";
}

namespace {

struct Request {
  bool automatic = false;
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;
};

Request parse(const std::string& request) {
  if (request == "auto") return {.automatic = true, .kind = DeviceKind::kCuda};
  for (const DeviceKind kind : {DeviceKind::kCpu, DeviceKind::kCuda, DeviceKind::kEmulated}) {
    if (request == name_of(kind)) return {.kind = kind};
  }
  int index = 0;
  const char* end = request.data() + request.size();
  const bool numbered = request.starts_with("cuda:") &&
                        std::from_chars(request.data() + 5, end, index) == std::from_chars_result{end, std::errc{}} &&
                        index >= 0;
  if (!numbered) {
    throw UsageError(fmt::format("no device is named \"{}\"{}; known: auto, cpu, cuda, cuda:N, emulated", request,
                                 did_you_mean(request, {"auto", "cpu", "cuda", "emulated"})));
  }
  return {.kind = DeviceKind::kCuda, .index = index};
}

[[noreturn]] void refuse(const std::string& name, const std::string& obstacle) {
  throw Error(fmt::format("--device {} is not available: {}; --device cpu works everywhere", name, obstacle));
}

}  // namespace

DeviceChoice choose_device(const std::string& name) {
  const Request request = parse(name);
  std::string obstacle;
  if (request.kind == DeviceKind::kCuda) obstacle = cuda_obstacle(list_gpus(), request.index, cuda_build());
  if (request.kind == DeviceKind::kEmulated) obstacle = missing_emulator();
  if (obstacle.empty()) return {request.kind, request.index, ""};
  if (request.automatic) return {DeviceKind::kCpu, 0, obstacle};
  refuse(name, obstacle);
}

OpenDevice::OpenDevice(const DeviceChoice& choice) {
  if (choice.kind == DeviceKind::kCuda) owned_ = open_cuda_device(choice.index);
  if (choice.kind == DeviceKind::kEmulated) owned_ = open_emulated_device();
  device_ = owned_ ? owned_.get() : &cpu_device();
}

Target target_of(const std::string& name) {
  constexpr Arch kAssumed = {9, 0};
  const bool may_be_missing = name == "cuda" && cuda_build().has_kernels && list_gpus().devices.empty();
  if (may_be_missing) return cuda_target(kAssumed);
  const DeviceChoice choice = choose_device(name);
  if (choice.kind == DeviceKind::kEmulated) return emulated_target();
  if (choice.kind == DeviceKind::kCpu) return {};
  return cuda_target(list_gpus().devices[static_cast<std::size_t>(choice.index)].arch);
}

}  // namespace cudacards
