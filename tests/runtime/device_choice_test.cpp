// A device is chosen by name or fallen back from with a reason, on machines with and without a GPU.

#include "host/runtime/device_choice.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/runtime/emulated_device.h"
#include "host/runtime/error.h"
#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_support::error_text;

TEST(Device, TheCpuIsAlwaysThere) {
  const DeviceChoice choice = choose_device("cpu");
  EXPECT_EQ(choice.kind, DeviceKind::kCpu);
  EXPECT_THAT(choice.reason, IsEmpty());
}

TEST(Device, AutoFallsBackAndSaysWhy) {
  const DeviceChoice choice = choose_device("auto");
  EXPECT_EQ(choice.kind == DeviceKind::kCpu, !choice.reason.empty());
}

TEST(Device, AskedForByNameAndMissingIsAnErrorAndNoFallback) {
  EXPECT_THAT(error_text([] { choose_device("cuda:1000"); }), HasSubstr("--device cuda:1000 is not available: "));
  if (!list_gpus().devices.empty()) return;
  EXPECT_THROW(choose_device("cuda"), Error);
}

TEST(Device, OfWhichTheEmulatorIsOneWhereItWasBuilt) {
  if (missing_emulator().empty()) {
    EXPECT_EQ(choose_device("emulated").kind, DeviceKind::kEmulated);
  } else {
    EXPECT_THAT(error_text([] { choose_device("emulated"); }), HasSubstr("--device emulated is not available: "));
  }
}

GpuList one_gpu(Arch arch, int driver_version) {
  GpuList gpus;
  gpus.devices = {{.index = 0, .name = "a GPU", .arch = arch, .memory_bytes = 1}};
  gpus.driver = fmt::format("{}.{}", driver_version / 1000, driver_version % 1000 / 10);
  gpus.driver_version = driver_version;
  return gpus;
}

constexpr CudaBuild kBuild = {.has_kernels = true, .runtime_version = 13000, .oldest = {8, 0}};

TEST(CudaObstacle, IsNoneWhereDriverGpuAndBuildFit) {
  EXPECT_EQ(cuda_obstacle(one_gpu({8, 0}, 13000), 0, kBuild), "");
  EXPECT_EQ(cuda_obstacle(one_gpu({9, 0}, 13010), 0, kBuild), "");
  EXPECT_EQ(cuda_obstacle(one_gpu({9, 0}, 13000), 0, {.has_kernels = true, .runtime_version = 13020}), "")
      << "drivers serve later runtimes of their major version";
}

TEST(CudaObstacle, IsToldInOneLine) {
  GpuList none;
  none.reason = "no CUDA driver on this machine";
  EXPECT_EQ(cuda_obstacle(none, 0, kBuild), none.reason);
  EXPECT_THAT(cuda_obstacle(one_gpu({9, 0}, 13000), 0, {}), HasSubstr("no CUDA kernels"));
  EXPECT_THAT(cuda_obstacle(one_gpu({9, 0}, 13000), 1, kBuild), HasSubstr("there are 1 GPUs"));
  EXPECT_THAT(cuda_obstacle(one_gpu({9, 0}, 12080), 0, kBuild),
              HasSubstr("the driver is for CUDA 12.8, this build needs 13.0"));
  EXPECT_THAT(cuda_obstacle(one_gpu({7, 5}, 13000), 0, kBuild),
              HasSubstr("a GPU has compute capability 7.5, and the kernels of this build are for 8.0 and later"));
}

TEST(Device, UnknownNamesAreMisuse) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:-1", "cuda:0x", "CUDA", "cuda:99999999999999"}) {
    EXPECT_THROW(choose_device(name), UsageError) << name;
  }
  EXPECT_THAT(error_text([] { choose_device("cdua"); }), HasSubstr("did you mean \"cuda\"?"));
}

TEST(Device, ListsGpusOrTheReasonForNone) {
  const GpuList gpus = list_gpus();
  EXPECT_EQ(gpus.devices.empty(), !gpus.reason.empty());
  for (const GpuDevice& gpu : gpus.devices) {
    EXPECT_THAT(gpu.name, Not(IsEmpty()));
    EXPECT_GT(gpu.memory_bytes, 0u);
    EXPECT_GE(gpu.arch, (Arch{3, 0}));
  }
}

}  // namespace
}  // namespace cudacards
