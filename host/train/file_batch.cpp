#include "host/train/file_batch.h"

#include "host/data/picture.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

std::size_t picture_bytes(int height, int width) {
  return std::size_t{3} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
}

}  // namespace

FileBatch::FileBatch(std::size_t batch, int height, int width)
    : height_(height), width_(width), pixels_(batch * picture_bytes(height, width), "a batch of pictures") {
  for (std::size_t i = 0; i < batch; ++i)
    images_.push_back(pixels_.as<std::uint8_t>().data() + i * picture_bytes(height, width));
}

void FileBatch::read(std::span<const std::string> paths) {
  CUDACARDS_CHECK(paths.size() <= images_.size());
  errors_.assign(paths.size(), "");
  parallel_items(static_cast<std::int64_t>(paths.size()), {}, [&](std::int64_t item) {
    const auto i = static_cast<std::size_t>(item);
    try {
      read_picture(paths[i], height_, width_, pixels_.as<std::uint8_t>().data() + i * picture_bytes(height_, width_));
    } catch (const Error& error) {
      errors_[i] = error.what();
    }
  });
}

}  // namespace cudacards
