#pragma once
// What is kept of a captured step.

#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/simt/emulator/launch.h"

namespace cudacards::emulator {

class Capture {
 public:
  void add_launch(const Grid& grid, const void* kernel, void (*call)(void*), const void* context, std::size_t bytes);
  void add(std::function<void()> copy);
  Status replay() const;

 private:
  std::vector<std::function<Status()>> work_;
};

/// The one that is being made; null where work is done at once.
Capture* current_capture();

}  // namespace cudacards::emulator
