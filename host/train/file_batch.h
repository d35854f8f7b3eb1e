#pragma once
// Pictures that are decoded from their files a batch at a time, into the same memory.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/runtime/buffer.h"

namespace cudacards {

class FileBatch {
 public:
  FileBatch(std::size_t batch, int height, int width);

  /// At most a batch of files, in parallel. What lies behind them, or where one cannot be read, is of earlier ones.
  void read(std::span<const std::string> paths);

  /// A batch of pictures, (height, width, 3) each.
  std::span<const std::uint8_t* const> images() const { return images_; }
  /// Why each of the files that were read last could not be, else empty.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  const int height_, width_;
  Buffer pixels_;
  std::vector<const std::uint8_t*> images_;
  std::vector<std::string> errors_;
};

}  // namespace cudacards
