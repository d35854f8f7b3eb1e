#pragma once
// A named piece of a step: a layer's forward or backward, the loss, the optimizer. Nsight Systems shows it on the
// host's time line (NVTX; nothing where the toolkit's header is missing), and `cudacards profile` measures it. Costs
// next to nothing where nobody listens.

#include <string>

namespace cudacards {

class ProfilerRange {
 public:
  /// `name`, or "name, part".
  explicit ProfilerRange(const std::string& name, const char* part = nullptr);
  ~ProfilerRange();
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};

/// Hears of every range that begins and ends, on the thread that works on it. Ranges of one level: none lies in
/// another.
class RangeListener {
 public:
  virtual ~RangeListener() = default;
  virtual void begin(const std::string& name, const char* part) = 0;
  virtual void end() = 0;
};

/// Null: nobody. Returns who listened before. While somebody listens, a step is not replayed from a graph, in which
/// there are no ranges.
RangeListener* set_range_listener(RangeListener* listener);
RangeListener* range_listener();

}  // namespace cudacards
