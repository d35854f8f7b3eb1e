#pragma once
// The machine that kernels are tested on: the emulator in one program, a GPU in the other.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace cudacards::testing {

// --- the machine, once for the emulator (device_emulated.cpp) and once for CUDA (device_cuda.cpp)

/// Why there is no machine to test on; empty where there is one.
std::string missing_device();
bool is_emulated();
void* device_allocate(std::size_t bytes, const char* name);
void device_free(void* memory);
void device_write(void* device, const void* host, std::size_t bytes);
void device_read(void* host, const void* device, std::size_t bytes);
/// Waits for the kernels and tells what went wrong in them.
Status device_finish();

/// Calls body under each order of blocks and threads that the machine offers: three on the emulator, one on a GPU.
void for_each_order(const std::function<void()>& body);

/// How many 32-byte sectors of global memory and wavefronts of shared memory a kernel may take, for each that its bytes
/// need.
struct TrafficLimit {
  double global_load = 1.05, global_store = 1.05, shared_load = 1.1, shared_store = 1.1;
};
/// Runs body with counting and holds the kernels whose name contains `kernel` to the limits. On a GPU it only runs.
void expect_traffic(const std::string& kernel, const TrafficLimit& limit, const std::function<void()>& body);

/// Runs body; a kernel whose name contains `kernel` must be among those that it starts. On a GPU it only runs.
void expect_started(const std::string& kernel, const std::function<void()>& body);

// --- for tests

/// Skips where there is no machine.
class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = missing_device(); !reason.empty()) GTEST_SKIP() << "skipped: " << reason;
  }
};

/// An array in device memory: a copy of host values, or undefined values (poison on the emulator). On a GPU 256 bytes
/// on either side are guards that must not change; the emulator watches every byte anyway.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& host, const char* name = "an array") : DeviceArray(host.size(), name) {
    write(host);
  }
  explicit DeviceArray(std::size_t count, const char* name = "an array") : count_(count) {
    memory_ = static_cast<std::byte*>(device_allocate(bytes() + 2 * guard(), name));
    if (guard() == 0) return;
    const std::vector<std::byte> pattern(bytes() + 2 * guard(), kGuardByte);
    device_write(memory_, pattern.data(), pattern.size());
  }
  ~DeviceArray() {
    if (memory_ == nullptr) return;
    check_guards();
    device_free(memory_);
  }
  DeviceArray(DeviceArray&& other) noexcept : count_(other.count_), memory_(other.memory_) { other.memory_ = nullptr; }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  DeviceArray& operator=(DeviceArray&&) = delete;

  T* data() { return reinterpret_cast<T*>(memory_ + guard()); }
  const T* data() const { return reinterpret_cast<const T*>(memory_ + guard()); }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(T); }
  void write(const std::vector<T>& host) { device_write(data(), host.data(), bytes()); }
  std::vector<T> read() const {
    std::vector<T> host(count_);
    device_read(host.data(), data(), bytes());
    return host;
  }

 private:
  static constexpr std::byte kGuardByte{0xa5};
  static std::size_t guard() { return is_emulated() ? 0 : 256; }
  void check_guards() const {
    if (guard() == 0) return;
    std::vector<std::byte> all(bytes() + 2 * guard());
    device_read(all.data(), memory_, all.size());
    for (std::size_t i = 0; i < guard(); ++i) {
      ASSERT_EQ(all[i], kGuardByte) << "written " << guard() - i << " bytes before the array";
      ASSERT_EQ(all[guard() + bytes() + i], kGuardByte) << "written " << i << " bytes past the array";
    }
  }

  std::size_t count_;
  std::byte* memory_ = nullptr;
};

/// The bytes of some arrays after a launch, to be compared between orders.
using Bytes = std::vector<std::byte>;
template <class... Arrays>
Bytes bytes_of(const Arrays&... arrays) {
  Bytes all;
  const auto append = [&](const auto& array) {
    const auto host = array.read();
    const auto* begin = reinterpret_cast<const std::byte*>(host.data());
    all.insert(all.end(), begin, begin + array.bytes());
  };
  (append(arrays), ...);
  return all;
}

/// Runs `body`, which allocates, launches, reads back and returns what it read, under each order. All orders must give
/// the same; that is returned.
template <class Body>
auto in_every_order(Body&& body) {
  using Result = decltype(body());
  std::vector<Result> results;
  for_each_order([&] { results.push_back(body()); });
  for (std::size_t i = 1; i < results.size(); ++i)
    EXPECT_TRUE(results[i] == results[0]) << "order " << i << " of threads and blocks gives another result";
  return results.at(0);
}

/// ASSERT that a launch was right to its end.
#define CUDACARDS_ASSERT_RUNS(launch)                                                       \
  do {                                                                                      \
    const ::cudacards::Status cudacards_launch_status = (launch);                           \
    ASSERT_TRUE(cudacards_launch_status) << cudacards_launch_status.reason();               \
    const ::cudacards::Status cudacards_run_status = ::cudacards::testing::device_finish(); \
    ASSERT_TRUE(cudacards_run_status) << cudacards_run_status.reason();                     \
  } while (false)
/// The same with EXPECT, for bodies that return a value.
#define CUDACARDS_EXPECT_RUNS(launch)                                                       \
  do {                                                                                      \
    const ::cudacards::Status cudacards_launch_status = (launch);                           \
    EXPECT_TRUE(cudacards_launch_status) << cudacards_launch_status.reason();               \
    const ::cudacards::Status cudacards_run_status = ::cudacards::testing::device_finish(); \
    EXPECT_TRUE(cudacards_run_status) << cudacards_run_status.reason();                     \
  } while (false)

}  // namespace cudacards::testing
