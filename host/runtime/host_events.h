#pragma once
// Events of devices that have done their work when a call returns.

#include <chrono>

#include "host/runtime/device.h"

namespace cudacards {

class HostEvent final : public Event {
 public:
  void record() override { time_ = std::chrono::steady_clock::now(); }
  void wait() override {}
  double seconds_since(const Event& earlier) override {
    return std::chrono::duration<double>(time_ - static_cast<const HostEvent&>(earlier).time_).count();
  }

 private:
  std::chrono::steady_clock::time_point time_;
};

}  // namespace cudacards
