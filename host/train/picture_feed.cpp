#include "host/train/picture_feed.h"

#include <cstring>

namespace cudacards {

PictureFeed::PictureFeed(Device& device, const Pictures& pictures, int batch, DataPlace place)
    : device_(device),
      place_(place),
      picture_bytes_(static_cast<std::size_t>(pictures.height()) * static_cast<std::size_t>(pictures.width()) * 3) {
  const bool resident = place == DataPlace::kResident;
  const auto count = resident ? static_cast<std::size_t>(pictures.size()) : static_cast<std::size_t>(batch);
  memory_ = DeviceBuffer(device, count * picture_bytes_, "the pictures");
  if (resident) {
    device_.upload(memory_.data(), pictures.pixels(0), memory_.size());
    return;
  }
  for (Staging& staging : staging_) {
    staging.pixels = PinnedBuffer(device, memory_.size(), "a batch of pictures on its way to the device");
    staging.sent = device.make_event();
  }
}

void PictureFeed::send(const Batch& batch, std::span<std::int32_t> indices) {
  if (place_ == DataPlace::kStreamed) stream(batch);
  for (std::size_t i = 0; i < indices.size(); ++i)
    indices[i] = static_cast<std::int32_t>(place_ == DataPlace::kResident ? batch.indices[i] : std::int64_t(i));
}

void PictureFeed::stream(const Batch& batch) {
  Staging& staging = staging_[next_];
  next_ = (next_ + 1) % staging_.size();
  staging.sent->wait();
  for (std::size_t i = 0; i < batch.image_pointers.size(); ++i)
    std::memcpy(staging.pixels.data() + i * picture_bytes_, batch.image_pointers[i], picture_bytes_);
  device_.upload(memory_.data(), staging.pixels.data(), memory_.size());
  staging.sent->record();
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
