#pragma once
// Uploads beside a device's work, which goes on meanwhile: for what is wanted a step later.

#include <cstddef>
#include <memory>

#include "host/runtime/device.h"

namespace cudacards {

/// An order of its own. Not thread-safe, and the device must outlive it.
class UploadQueue {
 public:
  virtual ~UploadQueue() = default;

  /// Uploads from now on begin when the device's work in front of the event's record() is done; at once where nothing
  /// was recorded. The event is the device's own.
  virtual void wait_for(const Event& event) = 0;
  /// From pinned memory, which may be changed when an event behind it says so.
  virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
  /// The device's work from now on begins when all uploads so far are there.
  virtual void join() = 0;
  /// For points between uploads.
  virtual std::unique_ptr<Event> make_event() = 0;
};

/// On the CPU and the emulator, which have one order, an upload is done as late as it may be, so that a join() that is
/// missing shows.
std::unique_ptr<UploadQueue> make_upload_queue(Device& device);

}  // namespace cudacards
