#include "host/runtime/buffer.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/memory.h"

namespace cudacards {

Buffer::Buffer(std::size_t bytes, const char* purpose) : size_(bytes) {
  if (bytes == 0) return;
  void* memory = std::aligned_alloc(kAlignment, align_up(bytes));
  if (memory == nullptr) {
    throw Error(
        fmt::format("out of memory: {} needs {}; use a smaller --batch or --image-size", purpose, mebibytes(bytes)));
  }
  std::memset(memory, 0, align_up(bytes));
  data_.reset(static_cast<std::byte*>(memory));
}

void Buffer::Free::operator()(std::byte* p) const { std::free(p); }

}  // namespace cudacards
