#include "kernels/simt/emulator/capture.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/simt/emulator/emulator.h"
#include "kernels/simt/emulator/machine.h"

namespace cudacards::emulator {
namespace {

constexpr std::size_t kMostParameterBytes = 4096;  // of a kernel, as CUDA has it

CapturePointer& capture_in_progress() {
  static CapturePointer capture;
  return capture;
}

[[noreturn]] void misuse(const char* what) {
  std::fprintf(stderr, "emulator: %s\n", what);
  std::abort();
}

}  // namespace

void Capture::add_launch(const Grid& grid, const void* kernel, void (*call)(void*), const void* context,
                         std::size_t bytes) {
  if (bytes > kMostParameterBytes) misuse("a kernel has more than 4096 bytes of parameters");
  std::vector<std::byte> kept(bytes);
  std::memcpy(kept.data(), context, bytes);
  work_.emplace_back([=, kept = std::move(kept)] {
    // On the launching thread's stack, where kernels may read their parameters.
    alignas(std::max_align_t) std::byte parameters[kMostParameterBytes];
    std::memcpy(parameters, kept.data(), kept.size());
    return Machine::instance().run(grid, kernel, call, parameters);
  });
}

void Capture::add(std::function<void()> copy) {
  work_.emplace_back([copy = std::move(copy)] {
    copy();
    return Status::ok();
  });
}

Status Capture::replay() const {
  for (const auto& work : work_) {
    if (Status status = work(); !status) return status;
  }
  return Status::ok();
}

Capture* current_capture() { return capture_in_progress().get(); }

void begin_capture() {
  if (capture_in_progress()) misuse("a capture within a capture");
  capture_in_progress().reset(new Capture);
}

CapturePointer end_capture() {
  if (!capture_in_progress()) misuse("the end of a capture that has not begun");
  return std::move(capture_in_progress());
}

Status replay(const Capture& capture) { return capture.replay(); }

void FreeCapture::operator()(Capture* capture) const { delete capture; }

}  // namespace cudacards::emulator
