#include "host/graph/arena_plan.h"

#include <algorithm>
#include <numeric>

#include "host/runtime/buffer.h"

namespace cudacards {

std::size_t place_blocks(std::vector<MemoryBlock>& blocks) {
  std::vector<std::size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return blocks[a].bytes > blocks[b].bytes; });

  std::vector<const MemoryBlock*> placed;  // sorted by offset
  std::size_t arena = 0;
  for (const std::size_t index : by_size) {
    MemoryBlock& block = blocks[index];
    if (block.bytes == 0) continue;
    const std::size_t bytes = align_up(block.bytes);
    std::size_t offset = 0;
    for (const MemoryBlock* other : placed) {
      const bool alive_together = other->first <= block.last && block.first <= other->last;
      if (!alive_together) continue;
      if (offset + bytes <= other->offset) break;  // the gap before `other` is wide enough
      offset = std::max(offset, other->offset + align_up(other->bytes));
    }
    block.offset = offset;
    arena = std::max(arena, offset + bytes);
    const auto position =
        std::upper_bound(placed.begin(), placed.end(), offset,
                         [](std::size_t value, const MemoryBlock* other) { return value < other->offset; });
    placed.insert(position, &block);
  }
  return arena;
}

}  // namespace cudacards
