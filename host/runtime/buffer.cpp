#include "host/runtime/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/memory.h"

namespace cudacards {
namespace {

// Weights of tens of megabytes are read in many rows at once, and each row is on another page: with pages of 4 KB a
// dense layer's forward pass takes 1.15 to 1.3 times as long, and the first touch of the memory 3 times.
constexpr std::size_t kHugePage = 2 << 20;

std::size_t alignment_of(std::size_t bytes) { return bytes >= 2 * kHugePage ? kHugePage : kAlignment; }

}  // namespace

Buffer::Buffer(std::size_t bytes, const char* purpose) : size_(bytes) {
  if (bytes == 0) return;
  const std::size_t alignment = alignment_of(bytes);
  const std::size_t reserved = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, reserved);
  if (memory == nullptr) {
    throw Error(
        fmt::format("out of memory: {} needs {}; use a smaller --batch or --image-size", purpose, mebibytes(bytes)));
  }
  if (alignment == kHugePage) (void)madvise(memory, reserved, MADV_HUGEPAGE);  // a wish: nothing depends on it
  std::memset(memory, 0, align_up(bytes));
  data_.reset(static_cast<std::byte*>(memory));
}

void Buffer::Free::operator()(std::byte* p) const { std::free(p); }

}  // namespace cudacards
