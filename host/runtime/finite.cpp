#include "host/runtime/finite.h"

#include <atomic>

#include "host/runtime/threads.h"

namespace cudacards {
namespace {

// An exponent of all ones is an infinity or a NaN. Counted without a branch, so that the compiler vectorises the loop.
template <class Word>
bool range_finite(const Word* words, std::int64_t begin, std::int64_t end, Word exponent) {
  Word bad = 0;
  for (std::int64_t i = begin; i < end; ++i) bad = static_cast<Word>(bad | ((words[i] & exponent) == exponent));
  return bad == 0;
}

template <class Word>
bool finite(const Word* words, std::int64_t count, Word exponent) {
  std::atomic<bool> all = true;
  parallel_ranges(count, [&](std::int64_t begin, std::int64_t end, int) {
    if (!range_finite(words, begin, end, exponent)) all = false;
  });
  return all;
}

}  // namespace

bool all_finite(const void* data, DType type, std::int64_t count) {
  switch (type) {
    case DType::kF32:
      return finite(static_cast<const std::uint32_t*>(data), count, std::uint32_t{0x7f800000u});
    case DType::kBf16:
      return finite(static_cast<const std::uint16_t*>(data), count, std::uint16_t{0x7f80u});
    case DType::kU8:
      return true;
  }
  return true;
}

}  // namespace cudacards
