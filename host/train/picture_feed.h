#pragma once
// The pictures of a split where a device reads them: all of them once, or a batch at a time where they don't fit.

#include <array>
#include <memory>
#include <vector>

#include "host/data/loader.h"
#include "host/runtime/device_buffer.h"
#include "host/runtime/upload_queue.h"
#include "host/train/training_step.h"

namespace cudacards {

class PictureFeed {
 public:
  PictureFeed(Device& device, const Pictures& pictures, int batch, DataPlace place);

  /// How many pictures lie on the device where they are sent a batch at a time: one batch on its way beside one in use.
  static std::int64_t streamed(int batch) { return 2 * std::int64_t{batch}; }

  /// What the indices of a batch count in: the same memory for every batch.
  const std::uint8_t* pictures() const { return reinterpret_cast<const std::uint8_t*>(memory_.data()); }
  /// Sees to it that the batch's pictures are there in time for the work that is begun next, and writes where each
  /// lies.
  void send(const Batch& batch, std::span<std::int32_t> indices);

 private:
  /// Half of the memory on the device, and what it is filled from.
  struct Half {
    PinnedBuffer pixels;
    std::unique_ptr<Event> sent;     // the pixels may be changed
    std::unique_ptr<Event> readers;  // the device's work before this half's batch was wanted: it reads the other half
  };
  void stream(const Batch& batch);

  Device& device_;
  const DataPlace place_;
  const std::size_t picture_bytes_;
  DeviceBuffer memory_;
  std::unique_ptr<UploadQueue> uploads_;  // null where all pictures are resident
  std::array<Half, 2> halves_;
  std::size_t current_ = 1;  // of the batch that was sent last
};

/// A split's pictures on a device for inference, batch by batch.
class InferenceFeed {
 public:
  InferenceFeed(Device& device, const Pictures& pictures, int batch, DataPlace place);

  /// Of a batch without transforms; valid until the next call, before which the work with it must be done.
  DeviceImages images(const Batch& batch);

 private:
  Device& device_;
  PictureFeed feed_;
  std::vector<std::int32_t> places_;
  DeviceBuffer indices_;
};

}  // namespace cudacards
