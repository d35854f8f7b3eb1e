#include "bench/support/timing.h"

#include <algorithm>

#include "host/runtime/error.h"

namespace cudacards::bench {

RepeatedWork::RepeatedWork(Device& device, std::function<void(int)> call, int calls)
    : device_(device), call_(std::move(call)), calls_(calls), begin_(device.make_event()), end_(device.make_event()) {
  run();  // what is made at the first call is not captured
  device_.synchronise();
  try {
    work_ = device_.capture([this] { run(); });
  } catch (const Error&) {
    work_ = nullptr;  // something that cannot be captured is timed as it is; is_captured() tells
  }
}

void RepeatedWork::run() {
  for (int i = 0; i < calls_; ++i) call_(i);
}

double RepeatedWork::round() {
  begin_->record();
  if (work_) {
    work_->run();
  } else {
    run();
  }
  end_->record();
  return end_->seconds_since(*begin_) / calls_;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

}  // namespace cudacards::bench
