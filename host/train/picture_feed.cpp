#include "host/train/picture_feed.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace cudacards {

PictureFeed::PictureFeed(Device& device, const Pictures& pictures, int batch, DataPlace place)
    : device_(device),
      place_(place),
      picture_bytes_(static_cast<std::size_t>(pictures.height()) * static_cast<std::size_t>(pictures.width()) * 3) {
  const bool resident = place == DataPlace::kResident;
  const auto count = resident ? pictures.size() : streamed(batch);
  memory_ = DeviceBuffer(device, static_cast<std::size_t>(count) * picture_bytes_, "the pictures");
  if (resident) {
    device_.upload(memory_.data(), pictures.pixels(0), memory_.size());
    return;
  }
  uploads_ = make_upload_queue(device);
  for (Half& half : halves_) {
    half.pixels = PinnedBuffer(device, memory_.size() / halves_.size(), "a batch of pictures on its way to the device");
    half.sent = uploads_->make_event();
    half.readers = device.make_event();
  }
}

void PictureFeed::send(const Batch& batch, std::span<std::int32_t> indices) {
  if (place_ == DataPlace::kResident) {
    std::ranges::transform(batch.indices, indices.begin(), [](std::int64_t i) { return static_cast<std::int32_t>(i); });
    return;
  }
  stream(batch);
  std::iota(indices.begin(), indices.end(), static_cast<std::int32_t>(current_ * indices.size()));
}

// The work that was begun with the batch before may be reading its half still: the other half is filled beside it, as
// soon as the work with the batch before that one is done.
void PictureFeed::stream(const Batch& batch) {
  const Half& before = halves_[current_];
  current_ = (current_ + 1) % halves_.size();
  Half& half = halves_[current_];
  half.readers->record();
  half.sent->wait();
  for (std::size_t i = 0; i < batch.image_pointers.size(); ++i)
    std::memcpy(half.pixels.data() + i * picture_bytes_, batch.image_pointers[i], picture_bytes_);
  uploads_->wait_for(*before.readers);
  uploads_->upload(memory_.data() + current_ * half.pixels.size(), half.pixels.data(), half.pixels.size());
  half.sent->record();
  uploads_->join();
}

InferenceFeed::InferenceFeed(Device& device, const Pictures& pictures, int batch, DataPlace place)
    : device_(device),
      feed_(device, pictures, batch, place),
      places_(static_cast<std::size_t>(batch)),
      indices_(device, places_.size() * sizeof(std::int32_t), "a batch's indices") {}

DeviceImages InferenceFeed::images(const Batch& batch) {
  feed_.send(batch, places_);
  device_.upload(indices_.data(), places_.data(), indices_.size());
  return {.pictures = feed_.pictures(), .indices = indices_.as<std::int32_t>().data()};
}

}  // namespace cudacards
