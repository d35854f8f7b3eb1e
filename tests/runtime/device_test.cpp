// Every device keeps the same promises about memory, order and captured work.

#include "host/runtime/device.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "host/runtime/device_buffer.h"
#include "host/runtime/error.h"
#include "host/runtime/upload_queue.h"
#include "kernels/table.h"
#include "tests/support/error_text.h"
#include "tests/support/tested_device.h"

namespace cudacards::testing {
namespace {

class EveryDevice : public ::testing::TestWithParam<Device*> {
 protected:
  Device& device_ = *GetParam();

  std::array<int, 4> read(DeviceBuffer& buffer) {
    std::array<int, 4> values{};
    device_.download(values.data(), buffer.data(), sizeof values);
    return values;
  }
};

TEST_P(EveryDevice, CopiesAndFills) {
  const std::array<int, 4> values = {1, 2, 3, 4};
  DeviceBuffer a(device_, sizeof values, "a"), b(device_, sizeof values, "b");
  device_.upload(a.data(), values.data(), sizeof values);
  device_.copy(b.data(), a.data(), sizeof values);
  EXPECT_EQ(read(b), values);
  device_.fill(b.data(), 0, 8);
  EXPECT_EQ(read(b), (std::array{0, 0, 3, 4}));
}

TEST_P(EveryDevice, UploadsBesideItsWorkAndWaitsWhereItIsTold) {
  const std::array<int, 4> old = {1, 2, 3, 4}, values = {5, 6, 7, 8};
  DeviceBuffer buffer(device_, sizeof old, "a buffer");
  PinnedBuffer pinned(device_, sizeof values, "values on their way");
  device_.upload(buffer.data(), old.data(), sizeof old);
  std::memcpy(pinned.data(), values.data(), sizeof values);
  const auto uploads = make_upload_queue(device_);
  const auto work = device_.make_event(), sent = uploads->make_event();
  uploads->wait_for(*work);  // nothing was recorded
  work->record();
  uploads->wait_for(*work);
  uploads->upload(buffer.data(), pinned.data(), sizeof values);
  sent->record();
  if (device_.kind() != DeviceKind::kCuda) {
    EXPECT_EQ(read(buffer), old) << "nobody has waited for it";
  }
  uploads->join();
  EXPECT_EQ(read(buffer), values);
  // Who waits for the event may use the pinned memory again.
  sent->wait();
  pinned.as<int>()[0] = 9;
  uploads->upload(buffer.data(), pinned.data(), sizeof values);
  sent->record();
  sent->wait();
  pinned.as<int>()[0] = 10;
  uploads->join();
  EXPECT_EQ(read(buffer), (std::array{9, 6, 7, 8}));
  const auto later = uploads->make_event();
  later->record();
  EXPECT_GE(later->seconds_since(*sent), 0);
  EXPECT_LT(later->seconds_since(*sent), 600);
}

TEST_P(EveryDevice, CapturedWorkIsDoneWhenItIsRunAndReadsTheHostThen) {
  std::array<int, 4> values = {1, 2, 3, 4};
  DeviceBuffer a(device_, sizeof values, "a"), b(device_, sizeof values, "b");
  device_.fill(a.data(), 0, a.size());
  device_.fill(b.data(), 0, b.size());
  const auto work = device_.capture([&] {
    device_.upload(a.data(), values.data(), sizeof values);
    device_.copy(b.data(), a.data(), sizeof values);
  });
  EXPECT_EQ(read(b), (std::array{0, 0, 0, 0}));
  work->run();
  EXPECT_EQ(read(b), values);
  values[0] = 9;
  work->run();
  EXPECT_EQ(read(b), values);
}

TEST_P(EveryDevice, EventsTellTime) {
  const auto before = device_.make_event(), after = device_.make_event();
  before->wait();
  before->record();
  after->record();
  EXPECT_GE(after->seconds_since(*before), 0);
}

TEST_P(EveryDevice, PinnedMemoryIsTheHosts) {
  PinnedBuffer pinned(device_, 16, "pinned");
  std::ranges::fill(pinned.as<int>(), 5);
  DeviceBuffer a(device_, 16, "a");
  device_.upload(a.data(), pinned.data(), 16);
  EXPECT_EQ(read(a), (std::array{5, 5, 5, 5}));
}

INSTANTIATE_TEST_SUITE_P(Devices, EveryDevice, ::testing::ValuesIn(all_devices()),
                         [](const auto& info) { return std::string(name_of(info.param->kind())); });

TEST(EmulatedDevice, ReplaysLaunchesWithTheirParametersAndTellsWhatFailed) {
  if (tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  Device& device = *tested_device();
  DeviceBuffer values(device, 64, "values"), wide(device, 64, "wide");
  const auto fill = [&](float value) {
    require(device.kernels().fill({.elements = 16, .value = value}, DType::kF32, values.data(), device.stream()),
            "fill");
  };
  const auto work = device.capture([&] { fill(2.5f); });
  fill(1.0f);
  work->run();
  std::array<float, 16> read{};
  device.download(read.data(), values.data(), sizeof read);
  EXPECT_EQ(read[15], 2.5f);

  const auto reads_nothing = device.capture([&] {
    require(device.kernels().cast({.elements = 16, .from = DType::kBf16, .to = DType::kF32},
                                  {wide.data(), values.data()}, device.stream()),
            "cast");
  });
  EXPECT_NE(testing_support::error_text([&] { reads_nothing->run(); }).find("wide"), std::string::npos);
}

TEST(CpuDevice, IsThereOnceAndHasNoKernels) {
  EXPECT_EQ(&cpu_device(), &cpu_device());
  EXPECT_EQ(cpu_device().target().kernels, nullptr);
}

}  // namespace
}  // namespace cudacards::testing
