#pragma once
// Times work on a device by its events.

#include <functional>
#include <memory>
#include <vector>

#include "host/runtime/device.h"

namespace cudacards::bench {

/// A number of calls that are timed together, so that an event's resolution and a graph's start don't count. They are
/// captured and replayed where the device and the work allow it: then the host's part of a call is not in the time.
class RepeatedWork {
 public:
  /// `call(i)` begins the i-th call of a round.
  RepeatedWork(Device& device, std::function<void(int)> call, int calls);
  /// Of one call, in seconds.
  double round();
  bool is_captured() const { return work_ != nullptr; }

 private:
  void run();

  Device& device_;
  const std::function<void(int)> call_;
  const int calls_;
  std::unique_ptr<CapturedWork> work_;
  std::unique_ptr<Event> begin_, end_;
};

double median(std::vector<double> values);

}  // namespace cudacards::bench
