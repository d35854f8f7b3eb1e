#pragma once
// The emulator as the machine of a sweep, with a clock that a test sets.

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "bench/sweep/machine.h"
#include "tests/kernels/support/device.h"

namespace cudacards::sweep {

class EmulatedMachine : public Machine {
 public:
  /// The time of the n-th measurement.
  explicit EmulatedMachine(std::function<double(int)> clock) : clock_(std::move(clock)) {}
  ~EmulatedMachine() override { EXPECT_EQ(allocated_, 0) << "arrays that nobody has released"; }
  EmulatedMachine(const EmulatedMachine&) = delete;
  EmulatedMachine& operator=(const EmulatedMachine&) = delete;

  std::string gpu() const override { return "an emulated GPU"; }
  Arch arch() const override { return {9, 0}; }
  int multiprocessors() const override { return 2; }
  void* allocate(std::size_t bytes) override {
    ++allocated_;
    return testing::device_allocate(bytes, "an array of the sweep");
  }
  void release(void* memory) override {
    --allocated_;
    testing::device_free(memory);
  }
  void upload(void* to, const void* from, std::size_t bytes) override { testing::device_write(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { testing::device_read(to, from, bytes); }
  Status run(const Launch& launch) override {
    if (Status status = launch(nullptr); !status) return status;
    return testing::device_finish();
  }
  double microseconds(const Launch&) override { return clock_(measured_++); }
  int measured() const { return measured_; }

 private:
  std::function<double(int)> clock_;
  int measured_ = 0, allocated_ = 0;
};

}  // namespace cudacards::sweep
