#include "tests/support/guarded_buffer.h"

#include <cstring>

namespace cudacards::testing {
namespace {
constexpr std::byte kPattern{0xa5};
}

GuardedBuffer::GuardedBuffer(std::size_t bytes, std::string name)
    : name_(std::move(name)), bytes_(bytes), memory_(bytes + 2 * kGuard, "a guarded buffer") {
  std::memset(memory_.data(), std::to_integer<int>(kPattern), memory_.size());
  poison();
}

void GuardedBuffer::poison() {
  if (bytes_ > 0) std::memset(memory_.data() + kGuard, 0xff, bytes_);
}

::testing::AssertionResult GuardedBuffer::intact() const {
  if (!memory_.data()) return ::testing::AssertionSuccess();  // moved away
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    if (i == kGuard) i += bytes_;
    if (memory_.data()[i] == kPattern) continue;
    return ::testing::AssertionFailure() << name_ << " of " << bytes_ << " bytes was written at offset "
                                         << static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(kGuard);
  }
  return ::testing::AssertionSuccess();
}

}  // namespace cudacards::testing
