#pragma once
// A named piece of the host's time line, for Nsight Systems (NVTX). Costs nothing where no profiler listens, and is
// nothing where the toolkit's header is missing.

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

}  // namespace cudacards
