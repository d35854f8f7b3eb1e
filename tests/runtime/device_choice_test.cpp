// A device is chosen by name or fallen back from with a reason, on machines with and without a GPU.

#include "host/runtime/device_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
